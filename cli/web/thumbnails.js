// The styles as small pictures.
function show() {
  element.querySelector('.thumbnails').replaceChildren(...(props.value || []).map((source) => {
    const picture = document.createElement('img');
    picture.src = source;
    picture.alt = 'style';
    return picture;
  }));
}

watch('value', show);
show();
