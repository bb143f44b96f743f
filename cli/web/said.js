// What the plan says, or what is wrong, above the button. Texts are set as text, never as HTML.
const box = element.querySelector('.said');

function show() {
  const told = props.value || {};
  box.className = `said ${told.kind || ''}`;
  box.replaceChildren(...(told.lines || []).map((line) => {
    const row = document.createElement('p');
    row.textContent = line;
    return row;
  }));
}

watch('value', show);
show();
