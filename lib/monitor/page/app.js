'use strict';
// The page: tables, events and the test request. Text from peers never becomes markup.
/* global Charts, shown */

(() => {
  const get = (id) => document.getElementById(id);
  const TOKEN = 'zmq-omdp-token';
  const RETRY_MS = 1000;
  const MAX_EVENTS = 200;

  const charts = new Charts();
  let events = [];
  let known = '';

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
    const [head, body] = [get(id).tHead, get(id).tBodies[0]];
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

  function totals(stats, broker) {
    const { counters } = stats;
    const facts = [
      ['services', stats.services.length],
      ['workers', stats.workers.length],
      ['clients', stats.clients],
      ['waiting', stats.queued],
      ['running', stats.running],
      ['requests', counters.requests],
      ['failures', counters.failures],
      ['errors', sum(counters.errors)],
      ['bad messages', counters.badMessages],
      ['memory', bytes(broker.rss)],
    ];
    get('totals').replaceChildren(
      ...facts.map(([name, value]) => {
        const [entry, term, definition] = ['div', 'dt', 'dd'].map((tag) => document.createElement(tag));
        term.textContent = name;
        definition.textContent = value;
        entry.append(term, definition);
        return entry;
      }),
    );
  }

  function choices(services) {
    const names = services.map(({ name }) => name).sort();
    const all = JSON.stringify(names);
    if (all === known) return;
    known = all;
    const select = get('shown');
    const chosen = select.value;
    select.replaceChildren(new Option('all', ''), ...names.map((name) => new Option(visible(name), name)));
    select.value = names.includes(chosen) ? chosen : '';
    charts.show(select.value);
  }

  const NOTHING = { perSecond: 0, failed: 0, p50: 0, p95: 0, p99: 0 };

  function onStats({ broker, point, recent, stats }) {
    const where = broker.endpoints.length === 0 ? 'does not run' : broker.endpoints.join(', ');
    get('broker').textContent =
      `${visible(broker.name)}: ${where}, process ${broker.pid}, up ${span(broker.uptime * 1000)}`;
    totals(stats, broker);
    const byName = (a, b) => (a.name < b.name ? -1 : 1);
    const services = stats.services.map((service) => {
      return { ...service, recent: Object.hasOwn(recent, service.name) ? recent[service.name] : NOTHING };
    });
    table('services-table', SERVICES, services.sort(byName), 'no service');
    table('workers-table', WORKERS, stats.workers.toSorted(byName).slice(0, 500), 'no worker');
    table('clients-table', CLIENTS, stats.clientList.toSorted(byName).slice(0, 500), 'no client');
    choices(stats.services);
    if (point !== undefined) charts.add(point);
  }

  function showEvents() {
    table('events-table', EVENTS, events.toReversed(), 'nothing yet');
  }

  const handlers = {
    hello({ canRequest, history, events: before }) {
      events = before;
      showEvents();
      charts.begin(history);
      get('request-section').hidden = !canRequest;
    },
    stats: onStats,
    event(entry) {
      events.push(entry);
      if (events.length > MAX_EVENTS) events.shift();
      showEvents();
    },
  };

  function state(name, text) {
    const element = get('state');
    if (element.dataset.state === name) return;
    element.dataset.state = name;
    element.textContent = text;
  }

  const headers = () => {
    const token = sessionStorage.getItem(TOKEN);
    return token === null ? {} : { Authorization: `Bearer ${token}` };
  };

  /** Reads server-sent events. EventSource is not used, because it cannot send a token. */
  async function follow() {
    const response = await fetch('events', { headers: headers(), cache: 'no-store' });
    if (response.status === 401) {
      get('login').hidden = false;
      state('locked', 'a token is needed');
      return false;
    }
    if (!response.ok) throw new Error(`status ${response.status}`);
    get('login').hidden = true;
    state('live', 'live');
    let text = '';
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return true;
      text += value;
      for (let end = text.indexOf('\n\n'); end !== -1; end = text.indexOf('\n\n')) {
        // A dot would not match U+2028, which may be in a name.
        const [, event, data] = /^event: ([^\n]*)\ndata: ([^\n]*)$/.exec(text.slice(0, end)) ?? [];
        text = text.slice(end + 2);
        if (event !== undefined) handlers[event]?.(JSON.parse(data));
      }
    }
  }

  async function live() {
    let again = true;
    while (again) {
      try {
        again = await follow();
      } catch {
        // The broker's process has ended; another one may start.
      }
      if (!again) return;
      state('lost', 'no connection, trying again');
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  get('login').addEventListener('submit', (event) => {
    event.preventDefault();
    sessionStorage.setItem(TOKEN, get('token').value);
    live();
  });
  get('shown').addEventListener('change', ({ target }) => charts.show(target.value));
  get('request').addEventListener('submit', async (event) => {
    event.preventDefault();
    const reply = get('reply');
    let data;
    try {
      data = JSON.parse(get('data').value);
    } catch (error) {
      reply.textContent = `The data is not JSON: ${error.message}`;
      return;
    }
    reply.textContent = 'waiting';
    try {
      const response = await fetch('request', {
        method: 'POST',
        headers: { ...headers(), 'Content-Type': 'application/json' },
        body: JSON.stringify({ service: get('service').value, data }),
      });
      const text = response.ok ? JSON.stringify(await response.json(), null, 2) : await response.text();
      reply.textContent = visibleLines(text);
    } catch (error) {
      reply.textContent = error.message;
    }
  });
  live();
})();
