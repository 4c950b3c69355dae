'use strict';
// The page: its live data, and the test request.
/* global Charts, Tables */

(() => {
  const { bytes, nameText, span, sum, visibleLines } = Tables;
  const get = (id) => document.getElementById(id);
  const TOKEN = 'zmq-omdp-token';
  const RETRY_MS = 1000;
  const MAX_EVENTS = 200;

  const charts = new Charts();
  let events = [];
  let known = '';

  function totals({ services, workers, clients, queued, running, counters }, broker) {
    const facts = [
      ['services', services],
      ['workers', workers],
      ['clients', clients],
      ['waiting', queued],
      ['running', running],
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

  function choices(charted) {
    const names = charted.toSorted();
    const all = JSON.stringify(names);
    if (all === known) return;
    known = all;
    const select = get('shown');
    const chosen = select.value;
    select.replaceChildren(new Option('all', ''), ...names.map((name) => new Option(nameText(name), name)));
    select.value = names.includes(chosen) ? chosen : '';
    charts.show(select.value);
  }

  /** Tells what a table does not show; nothing if it shows everything. */
  function note(id, text) {
    const element = get(id);
    element.hidden = text === '';
    if (element.textContent !== text) element.textContent = text;
  }

  function onStats({ broker, charted, clients, point, services, totals: counts, workers }) {
    const where = broker.endpoints.length === 0 ? 'does not run' : broker.endpoints.join(', ');
    get('broker').textContent =
      `${nameText(broker.name)}: ${where}, process ${broker.pid}, up ${span(broker.uptime * 1000)}`;
    totals(counts, broker);
    Tables.services(services.rows);
    Tables.workers(workers.rows);
    Tables.clients(clients.rows);
    const left = (list, what) => (list.left === 0 ? '' : `${list.left} more ${what} are not shown.`);
    note(
      'services-note',
      services.left === 0 ? '' : `The ${services.left} least busy services share the last row.`,
    );
    note('workers-note', left(workers, 'workers'));
    note('clients-note', left(clients, 'clients'));
    const uncharted = services.count - charted.length;
    note('charts-note', uncharted <= 0 ? '' : `${uncharted} more services have no charts of their own.`);
    choices(charted);
    if (point !== undefined) charts.add(point);
  }

  function showEvents() {
    Tables.events(events.toReversed());
  }

  const handlers = {
    hello({ canRequest, history, historyMs, events: before }) {
      events = before;
      showEvents();
      charts.begin(history, historyMs);
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
    const sent = headers();
    const response = await fetch('events', { headers: sent, cache: 'no-store' });
    if (response.status === 401) {
      get('login').hidden = false;
      if ('Authorization' in sent) refuse();
      else state('locked', 'a token is needed');
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

  let isLive = false;
  async function live() {
    // A second loop would add each event twice.
    if (isLive) return;
    isLive = true;
    let again = true;
    while (again) {
      try {
        again = await follow();
      } catch {
        // The broker's process has ended; another one may start.
      }
      if (!again) break;
      state('lost', 'no connection, trying again');
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
    isLive = false;
  }

  function refuse() {
    state('refused', 'the token is wrong');
  }

  get('login').addEventListener('submit', (event) => {
    event.preventDefault();
    const token = get('token').value;
    // Other characters cannot be sent, and are in no token.
    if (!/^[\x21-\x7e]+$/.test(token)) return refuse();
    sessionStorage.setItem(TOKEN, token);
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
