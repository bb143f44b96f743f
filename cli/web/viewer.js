// Shows what the page is told: pictures, clips, the slices of a volume, or sounds, before and after. Texts are set
// as text, never as HTML. Elements stay when new values come, so that the line keeps its place and clips play on.
const root = element.querySelector('.viewer');
const find = (selector) => root.querySelector(selector);
const compare = find('.compare'), line = find('.line'), slices = find('.slices'), which = find('.slices input');
const clips = [...root.querySelectorAll('video')];
let at = 50, plane = null, where = {}, shownRoot = null;

function make(tag, content, attributes = {}) {
  const made = Object.assign(document.createElement(tag), attributes);
  made.append(content);
  return made;
}

function cut(share) {
  at = Math.min(100, Math.max(0, share));
  compare.style.setProperty('--at', `${at}%`);
  line.setAttribute('aria-valuenow', Math.round(at));
}

function follow(event) {
  const box = compare.getBoundingClientRect();
  cut(100 * (event.clientX - box.left) / box.width);
}

compare.addEventListener('pointerdown', (event) => {
  if (compare.classList.contains('alone')) return;
  compare.setPointerCapture(event.pointerId);
  follow(event);
  line.focus({ preventScroll: true });
  event.preventDefault();
});
compare.addEventListener('pointermove', (event) => {
  if (compare.hasPointerCapture(event.pointerId)) follow(event);
});
line.addEventListener('keydown', (event) => {
  const by = { ArrowLeft: -2, ArrowRight: 2, PageDown: -10, PageUp: 10, Home: -100, End: 100 }[event.key];
  if (by) { cut(at + by); event.preventDefault(); }
});

function extent([width, height]) {
  compare.style.setProperty('--ratio', width / height);
}

function shown(kind) {
  compare.hidden = !kind;
  slices.hidden = kind !== 'slices';
  root.querySelectorAll('.compare img').forEach((each) => { each.hidden = kind === 'clips'; });
  clips.forEach((each) => { each.hidden = kind !== 'clips'; });
  if (kind !== 'clips') clips.forEach((each) => { each.pause(); each.removeAttribute('src'); });
}

function pictures(before, after) {
  compare.classList.toggle('alone', !after);
  find('img.before').src = before;
  if (after) find('img.after').src = after;
}

function movies(view) {
  compare.classList.remove('alone');
  for (const side of ['before', 'after']) find(`video.${side}`).src = `${view.root}/file/${side}.mp4`;
  Promise.all(clips.map((clip) => clip.play())).catch(() => {});
}

clips[0].addEventListener('timeupdate', () => {
  if (Math.abs(clips[0].currentTime - clips[1].currentTime) > 0.04) clips[1].currentTime = clips[0].currentTime;
});

const sliceOf = (view, side, index) => `${view.root}/slice/${side}/${plane.axis}/${index}`;

function slice(view) {
  const index = Number(which.value);
  where[plane.axis] = index;
  find('.slices output').textContent = `${index + 1} of ${plane.count}`;
  pictures(sliceOf(view, 'before', index), sliceOf(view, 'after', index));
  for (const near of [index - 1, index + 1]) {
    if (near >= 0 && near < plane.count) {
      for (const side of ['before', 'after']) new Image().src = sliceOf(view, side, near);
    }
  }
}

function across(view, chosen) {
  plane = chosen;
  which.max = plane.count - 1;
  which.value = where[plane.axis] ?? Math.floor(plane.count / 2);
  for (const way of find('.ways').children) way.classList.toggle('chosen', way.dataset.axis === plane.axis);
  extent(plane.extent);
  slice(view);
}

function volume(view) {
  where = {};
  find('.ways').replaceChildren(...view.planes.map((each) => {
    const way = make('button', `across ${each.axis}`, { type: 'button' });
    way.dataset.axis = each.axis;
    way.addEventListener('click', () => across(view, each));
    return way;
  }));
  which.oninput = () => slice(view);
  compare.onwheel = (event) => {
    event.preventDefault();
    which.value = Number(which.value) + Math.sign(event.deltaY);
    slice(view);
  };
  across(view, view.planes[0]);
}

function look(view) {
  shown(view ? view.kind : null);
  compare.onwheel = null;
  const sounds = find('.sounds');
  sounds.hidden = !(view && view.sounds);
  if (!view) return;
  if (view.extent) extent(view.extent);
  compare.classList.toggle('live', view.strength !== undefined);
  if (view.kind === 'pictures') pictures(view.before, view.after);
  if (view.kind === 'clips') movies(view);
  if (view.kind === 'slices') volume(view);
  sounds.replaceChildren(...Object.entries(view.sounds || {}).map(([side, source]) => {
    const label = make('label', make('audio', '', { controls: true, src: source }));
    label.append(side);
    return label;
  }));
}

function show() {
  const told = props.value || {};
  // What is not said stays as it is.
  if ('stage' in told) root.dataset.stage = told.stage;
  find('.progress').hidden = told.stage !== 'working';
  find('.progress span').style.width = `${100 * (told.share || 0)}%`;
  find('.text').textContent = told.text || '';
  if ('view' in told) {
    // Slices and clips are fetched anew only for another result.
    const fetched = told.view ? told.view.root : null;
    if (!fetched || fetched !== shownRoot) look(told.view);
    shownRoot = fetched;
  }
  find('.notes').replaceChildren(...(told.notes || []).map((note) => make('li', note)));
  find('.files').replaceChildren(...(told.files || []).map((file) => (
    make('a', file.label, { href: file.href, download: file.name, title: file.name })
  )));
}

cut(50);
watch('value', show);
show();
