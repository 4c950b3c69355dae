'use strict';
// The tables of the page, and how values are written. Text from peers never becomes markup.
/* global shown */

(() => {
  // Replaces control characters, and characters that reverse the direction of text or are not seen, by the escapes of
  // JSON.
  const HIDDEN =
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the expression replaces control characters
    /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;
  const visible = (value) =>
    String(value).replace(HIDDEN, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
  const visibleLines = (text) => text.split('\n').map(visible).join('\n');

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
    for (const [index, [, value, kind]] of columns.entries()) {
      const cell = row.cells[index];
      const text = visible(value(each));
      // A name may consist of blanks.
      const shownText = index === 0 && text.trim() === '' ? JSON.stringify(text) : text;
      if (cell.textContent === shownText) continue;
      cell.textContent = shownText;
      if (index === 0) cell.title = shownText;
      if (kind === 'bad') cell.className = shownText === '0' ? '' : 'bad';
    }
  }

  const SERVICES = [
    ['service', (s) => s.name, 'text'],
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
    ['worker', (w) => w.name, 'text'],
    ['service', (w) => w.service, 'text'],
    ['dialect', (w) => w.dialect, 'text'],
    ['address', (w) => w.address ?? '', 'text'],
    ['running', (w) => w.running],
    ['the first for', (w) => (w.running === 0 ? '' : ms(w.oldest))],
    ['answered', (w) => w.ended],
    ['with errors', (w) => w.failed, 'bad'],
    ['rejected', (w) => w.rejected],
    ['here for', (w) => span(w.since)],
    ['last heard', (w) => `${span(w.silent)} ago`],
  ];
  const CLIENTS = [
    ['client', (c) => c.name, 'text'],
    ['dialect', (c) => c.dialect, 'text'],
    ['address', (c) => c.address ?? '', 'text'],
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
          .map(([key, value]) => `${key}: ${value}`)
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
    span,
    sum,
    visible,
    visibleLines,
  };
})();
