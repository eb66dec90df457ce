/**
 * What makes the portal livelier; all of it works without. Several days are picked by dragging over the drawing; a form marked
 * so sends itself when something is chosen; and where no zone was chosen, hours are shown in the browser's own.
 */
export const PORTAL_SCRIPT = `'use strict';
(() => {
  document.documentElement.classList.add('live');
  for (const form of document.querySelectorAll('form[data-submits-itself]')) {
    form.addEventListener('change', (event) => { if (event.target.matches('[data-sends]')) form.requestSubmit(); });
  }
  const zone = document.querySelector('select[data-own-zone]');
  if (zone) {
    const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (own && own !== zone.value) {
      const address = new URL(location.href);
      address.searchParams.set('zone', own);
      location.replace(address);
    }
  }
  for (const plot of document.querySelectorAll('.plot')) {
    const places = [...plot.querySelectorAll('a[data-place]')];
    if (places.length === 0) continue;
    const form = document.getElementById(plot.closest('figure').id + '-span');
    if (!form) continue;
    let first = null;
    let last = null;
    const indexOf = (event) => places.indexOf(document.elementFromPoint(event.clientX, event.clientY)?.closest('a[data-place]'));
    const mark = () => places.forEach((place, index) => place.firstElementChild.classList.toggle('dragged',
      first !== null && index >= Math.min(first, last) && index <= Math.max(first, last)));
    plot.addEventListener('pointerdown', (event) => {
      const index = indexOf(event);
      if (event.button !== 0 || index < 0) return;
      first = last = index;
      mark();
    });
    addEventListener('pointermove', (event) => {
      if (first === null) return;
      const index = indexOf(event);
      if (index >= 0) { last = index; mark(); }
    });
    addEventListener('pointercancel', () => { first = last = null; mark(); });
    addEventListener('pointerup', () => {
      if (first === null) return;
      const [from, to] = [Math.min(first, last), Math.max(first, last)];
      const wasDragged = from !== to;
      first = last = null;
      if (!wasDragged) { mark(); return; }
      form.elements.namedItem('from').value = places[from].dataset.place;
      form.elements.namedItem('to').value = places[to].dataset.place;
      form.requestSubmit();
    });
    plot.addEventListener('dragstart', (event) => event.preventDefault());
  }
})();
`;
