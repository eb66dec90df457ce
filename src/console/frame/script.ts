/**
 * What makes pages livelier; all of them work without it. `/` goes to the search, `g` and a letter to a page; forms marked so
 * submit themselves when something is chosen, or show their answer while one types (`data-live`: the ids of what is
 * exchanged); a part with an id and `data-refresh` is read anew every so many seconds while it is looked at; a button may add
 * a line to its form, and a link to send is marked as a whole when it is touched.
 */
export const CONSOLE_SCRIPT = `'use strict';
(() => {
  const isTyping = (element) => element.matches('input, select, textarea, [contenteditable]');
  let isGoing = false;
  document.documentElement.classList.add('live');
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (isTyping(event.target)) {
      if (event.key === 'Escape') event.target.blur();
      return;
    }
    if (isGoing) {
      isGoing = false;
      const link = [...document.querySelectorAll('.rail [data-key]')].find(({ dataset }) => dataset.key === event.key);
      if (link) link.click();
    } else if (event.key === 'g') {
      isGoing = true;
      setTimeout(() => { isGoing = false; }, 1500);
    } else if (event.key === '/') {
      const search = document.querySelector('[data-search]');
      if (search) { event.preventDefault(); search.focus(); }
    }
  });
  for (const form of document.querySelectorAll('form[data-submits-itself]')) {
    form.querySelectorAll(':scope > button').forEach((button) => { button.dataset.spare = ''; });
    form.addEventListener('change', (event) => {
      if (event.target.name === 'period' && event.target.value === 'from-to') return;
      if (event.target.type === 'date') return;
      form.requestSubmit();
    });
    form.querySelectorAll('input[type=date]').forEach(() => form.querySelectorAll('.span.shown ~ button').forEach((button) => { delete button.dataset.spare; }));
    form.addEventListener('input', () => {
      const period = form.elements.namedItem('period');
      if (!period) return;
      const isSpan = period.value === 'from-to';
      form.querySelectorAll('.span').forEach((span) => span.classList.toggle('shown', isSpan));
      form.querySelectorAll(':scope > button').forEach((button) => { if (isSpan) delete button.dataset.spare; });
    });
  }
  for (const part of document.querySelectorAll('[data-refresh]')) {
    const timer = setInterval(async () => {
      if (document.hidden || part.contains(document.activeElement)) return;
      try {
        const answer = await fetch(location.href, { credentials: 'same-origin', redirect: 'error', headers: { 'X-Live': 'true' } });
        const fresh = answer.ok && new DOMParser().parseFromString(await answer.text(), 'text/html').getElementById(part.id);
        if (!fresh) return;
        part.replaceChildren(...fresh.childNodes);
        if (!fresh.dataset.refresh) clearInterval(timer);
      } catch { /* The next time will tell. */ }
    }, Number(part.dataset.refresh) * 1000);
  }
  // What stands apart in a tree of its own keeps its sheet, so that nothing flickers.
  const exchange = (target, fresh) => {
    if (!fresh) return;
    const apart = fresh.querySelector(':scope > template[shadowrootmode]');
    if (apart && target.shadowRoot) target.shadowRoot.lastElementChild.replaceWith(apart.content.lastElementChild);
    else target.replaceChildren(...fresh.childNodes);
  };
  const tellStale = (target) => {
    const told = Object.assign(document.createElement('p'), { className: 'notice warn', textContent: 'This no longer follows what you type: your session has ended, or the service cannot answer. ' });
    told.setAttribute('role', 'alert');
    told.append(Object.assign(document.createElement('a'), { href: location.href, textContent: 'Load the page again; what you typed is kept' }), '.');
    target.replaceChildren(told);
  };
  for (const button of document.querySelectorAll('button[data-adds]')) {
    button.addEventListener('click', (event) => {
      const line = [...document.querySelectorAll(button.dataset.adds)].at(-1);
      if (!line) return;
      event.preventDefault();
      const added = line.cloneNode(true);
      added.querySelectorAll('input').forEach((input) => { input.value = ''; });
      line.after(added);
      added.querySelector('input').focus();
    });
  }
  for (const field of document.querySelectorAll('input[data-copied]')) {
    field.addEventListener('focus', () => field.select());
  }
  for (const form of document.querySelectorAll('form[data-live]')) {
    let timer = 0;
    let last = null;
    form.addEventListener('input', () => {
      clearTimeout(timer);
      timer = setTimeout(async () => {
        if (last) last.abort();
        last = new AbortController();
        const fields = new URLSearchParams(new FormData(form));
        const targets = form.dataset.live.split(' ').map((id) => document.getElementById(id)).filter(Boolean);
        const setBusy = (isBusy) => targets.forEach((target) => target.setAttribute('aria-busy', String(isBusy)));
        setBusy(true);
        try {
          const isPost = form.method === 'post';
          if (!isPost) history.replaceState(null, '', form.action + '?' + fields);
          const answer = await fetch(isPost ? form.action : form.action + '?' + fields, {
            method: isPost ? 'POST' : 'GET', body: isPost ? fields : undefined, signal: last.signal, credentials: 'same-origin',
            headers: { 'X-Live': 'true' },
          });
          const text = await answer.text();
          const page = new DOMParser().parseFromString(text, 'text/html');
          for (const target of targets) exchange(target, page.getElementById(target.id));
          if (targets.some(({ id }) => !page.getElementById(id))) tellStale(targets[0]);
          setBusy(false);
        } catch (error) {
          if (error.name !== 'AbortError') setBusy(false);
        }
      }, 250);
    });
  }
})();
`;
