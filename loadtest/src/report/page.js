// Reads charts out where the pointer is, or by the arrow keys; the page is whole without it.
for (const figure of document.querySelectorAll('.chart')) {
  const svg = figure.querySelector('.axes');
  const data = JSON.parse(figure.querySelector('script').textContent);
  const shapes = 'http://www.w3.org/2000/svg';
  let drawn = [];
  let reading = null;
  let at = -1;

  const shape = (name, attributes) => {
    const element = svg.appendChild(document.createElementNS(shapes, name));
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    drawn.push(element);
  };
  const word = (parent, name, text) => {
    const element = parent.appendChild(document.createElement(name));
    element.textContent = text;
    return element;
  };
  const clear = () => {
    for (const element of drawn) element.remove();
    drawn = [];
    reading?.remove();
    reading = null;
  };

  const show = (nth) => {
    if (nth === at && reading) return;
    clear();
    at = nth;
    const [share, say] = data.places[nth];
    const x = `${share * 100}%`;
    shape('line', { class: 'cursor', x1: x, x2: x, y1: data.top, y2: data.foot });
    reading = word(figure, 'div', '');
    reading.className = 'reading';
    word(reading, 'b', say);
    for (const line of data.lines) {
      const number = line.at[nth];
      if (!number) continue;
      shape('circle', { class: `dot ${line.ink}`, cx: x, cy: number[0], r: 4.5 });
      const row = word(reading, 'p', '');
      word(row, 'i', '').className = line.ink;
      row.append(line.name);
      word(row, 'span', `${number[1]} ${data.unit === 'per second' ? '/s' : data.unit}`);
    }
    for (const [where, what] of data.flags) {
      if (Math.abs(where - share) < 0.012) word(reading, 'em', what);
    }
    place(share);
  };

  // Beside the cursor, on the side that has more room; below the plot where neither has enough.
  const place = (share) => {
    const [frame, box] = [figure.getBoundingClientRect(), svg.getBoundingClientRect()];
    const x = box.left - frame.left + share * box.width;
    const width = reading.offsetWidth;
    const wanted = share < 0.5 ? x + 14 : x - width - 14;
    const left = Math.max(0, Math.min(wanted, frame.width - width));
    const below = left === wanted ? data.top + 8 : data.foot + 26;
    reading.style.left = `${left}px`;
    reading.style.top = `${box.top - frame.top + below}px`;
  };

  const nearest = (share) => {
    let best = 0;
    data.places.forEach(([where], nth) => {
      if (Math.abs(where - share) < Math.abs(data.places[best][0] - share)) best = nth;
    });
    return best;
  };
  const follow = (event) => {
    const box = svg.getBoundingClientRect();
    show(nearest((event.clientX - box.left) / box.width));
  };
  svg.addEventListener('pointermove', follow);
  svg.addEventListener('pointerdown', follow);
  svg.addEventListener('pointerleave', clear);
  svg.addEventListener('blur', clear);
  svg.addEventListener('keydown', (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    show(Math.max(0, Math.min(data.places.length - 1, at + step)));
  });
}
addEventListener('beforeprint', () => {
  for (const details of document.querySelectorAll('details')) details.open = true;
});
