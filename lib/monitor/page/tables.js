'use strict';
// The tables of the page, and how values are written. Text from peers never becomes markup.
/* global INVISIBLE, shown */

(() => {
  // Invisible characters, and blanks that look like the ordinary one, become the escapes of JSON.
  const HIDDEN = new RegExp(`${INVISIBLE.source}|(?! )\\p{Zs}`, 'gu');
  const escaped = (text) =>
    Array.from({ length: text.length }, (_, at) => text.charCodeAt(at).toString(16).padStart(4, '0'))
      .map((digits) => `\\u${digits}`)
      .join('');
  const visible = (value) => String(value).replace(HIDDEN, escaped);
  const visibleLines = (text) => text.split('\n').map(visible).join('\n');
  // The reason of a rejection may be any value.
  const valueText = (value) => (typeof value === 'object' ? JSON.stringify(value) : value);
  // Blanks at the ends, and a blank after a blank, are invisible, too.
  const nameText = (name) => visible(name).replace(/^ | (?= |$)/g, escaped);

  const ms = (value) => (value >= 1000 ? `${shown(value / 1000)} s` : `${shown(value)} ms`);
  function span(value) {
    const seconds = Math.floor(value / 1000);
    if (seconds < 60) return `${seconds} s`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
    if (seconds < 86400) return `${Math.floor(seconds / 3600)} h`;
    return `${Math.floor(seconds / 86400)} d`;
  }
  const sum = (object) => Object.values(object).reduce((total, value) => total + value, 0);
  function bytes(value) {
    const units = ['B', 'KiB', 'MiB', 'GiB'];
    let unit = 0;
    let rest = value;
    while (rest >= 1024 && unit < 3) {
      rest /= 1024;
      unit += 1;
    }
    return `${shown(rest)} ${units[unit]}`;
  }

  /** A table whose first column identifies the row. @param columns [title, value(row), kind] */
  function table(id, columns, rows, nothing) {
    const [head, body] = [document.getElementById(id).tHead, document.getElementById(id).tBodies[0]];
    if (head.rows.length === 0) {
      const row = head.insertRow();
      for (const [title, , kind] of columns) {
        const cell = document.createElement('th');
        cell.scope = 'col';
        cell.textContent = title;
        if (kind === 'text') cell.className = 'text';
        row.append(cell);
      }
    }
    if (rows.length === 0) {
      const row = document.createElement('tr');
      const cell = row.insertCell();
      cell.colSpan = columns.length;
      cell.className = 'empty';
      cell.textContent = nothing;
      body.replaceChildren(row);
      return;
    }
    // Rows keep their elements, so that a selection and the position of a screen reader survive an update.
    body.querySelector('.empty')?.parentNode.remove();
    while (body.rows.length > rows.length) body.deleteRow(-1);
    for (const [at, each] of rows.entries()) fill(body.rows[at] ?? made(body, columns), columns, each);
  }

  function made(body, columns) {
    const row = body.insertRow();
    for (const [index, [, , kind]] of columns.entries()) {
      const cell = document.createElement(index === 0 ? 'th' : 'td');
      if (index === 0) cell.scope = 'row';
      if (kind === 'text') cell.className = 'text';
      row.append(cell);
    }
    return row;
  }

  function fill(row, columns, each) {
    // Those that share a row have no name, and a service may have the name that the row shows.
    row.className = each.name === null ? 'together' : '';
    for (const [index, [, value, kind]] of columns.entries()) {
      const cell = row.cells[index];
      const text = String(value(each));
      if (cell.textContent === text) continue;
      cell.textContent = text;
      if (index === 0) cell.title = text;
      if (kind === 'bad') cell.className = text === '0' ? '' : 'bad';
    }
  }

  const OTHERS = 'all other services';
  const SERVICES = [
    ['service', (s) => (s.name === null ? OTHERS : nameText(s.name)), 'text'],
    ['workers', (s) => s.workers],
    ['idle', (s) => s.idle],
    ['waiting', (s) => s.queued],
    ['oldest', (s) => ms(s.oldest)],
    ['running', (s) => s.running],
    ['per second', (s) => shown(s.recent.perSecond)],
    ['failed', (s) => s.recent.failed, 'bad'],
    ['median', (s) => ms(s.recent.p50)],
    ['95 %', (s) => ms(s.recent.p95)],
    ['99 %', (s) => ms(s.recent.p99)],
    ['requests', (s) => s.counters.requests],
    ['replies', (s) => s.counters.replies],
    ['failures', (s) => s.counters.failures, 'bad'],
    ['errors', (s) => sum(s.counters.errors), 'bad'],
    ['retries', (s) => s.counters.retried],
    ['rejected', (s) => s.counters.rejected],
    ['in', (s) => bytes(s.counters.bytesIn)],
    ['out', (s) => bytes(s.counters.bytesOut)],
  ];
  const WORKERS = [
    ['worker', (w) => nameText(w.name), 'text'],
    ['service', (w) => nameText(w.service), 'text'],
    ['dialect', (w) => w.dialect, 'text'],
    ['address', (w) => visible(w.address ?? ''), 'text'],
    ['running', (w) => w.running],
    ['the first for', (w) => (w.running === 0 ? '' : ms(w.oldest))],
    ['answered', (w) => w.ended],
    ['with errors', (w) => w.failed, 'bad'],
    ['rejected', (w) => w.rejected],
    ['here for', (w) => span(w.since)],
    ['last heard', (w) => `${span(w.silent)} ago`],
  ];
  const CLIENTS = [
    ['client', (c) => nameText(c.name), 'text'],
    ['dialect', (c) => c.dialect, 'text'],
    ['address', (c) => visible(c.address ?? ''), 'text'],
    ['requests', (c) => c.requests],
    ['here for', (c) => span(c.since)],
    ['last heard', (c) => `${span(c.silent)} ago`],
  ];
  const EVENTS = [
    ['time', (e) => new Date(e.at).toLocaleTimeString(), 'text'],
    ['event', (e) => e.event, 'text'],
    [
      'what',
      (e) =>
        Object.entries(e.payload ?? {})
          .map(([key, value]) => `${key}: ${nameText(valueText(value))}`)
          .join(', '),
      'text',
    ],
  ];

  window.Tables = {
    services: (rows) => table('services-table', SERVICES, rows, 'no service'),
    workers: (rows) => table('workers-table', WORKERS, rows, 'no worker'),
    clients: (rows) => table('clients-table', CLIENTS, rows, 'no client'),
    events: (rows) => table('events-table', EVENTS, rows, 'nothing yet'),
    bytes,
    nameText,
    span,
    sum,
    visibleLines,
  };
})();
