'use strict';
// The page, in Chromium: what it shows, live, of peers that mean harm, and for everybody.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { createMonitor } = require('zmq-omdp/monitor');
const { SERVICE, ask, peersFor } = require('../support/peers');

const CANDIDATES = [
  process.env.CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
];
const CHROMIUM = CANDIDATES.find((file) => file && fs.existsSync(file));

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const MARKUP = '<img src=x onerror="document.title=\'harm\'">"&';
const HOSTILE = `${MARKUP}\u202e\u061c\u0007\u2028\u200b`;
/** Each is not seen, or looks like a blank. */
const INVISIBLE = [
  ...'\u00ad\u00a0\u034f\u115f\u1160\u17b4\u180b\u180e\u2000\u200c\u200d\u202f\u2060\u2064\u206a\u2800\u3000\u3164',
  ...'\ufe00\ufe0f\ufeff\uffa0\ufff9\u{e0001}\u{e0061}\u{e007f}\u{e0100}',
];
/** Characters that reverse the direction of the text around them, or are not seen, are shown as escapes. */
const SHOWN = `${MARKUP}\\u202e\\u061c\\u0007\\u2028\\u200b`;

const LONG = 'a-name-of-255-bytes'.padEnd(255, '-');

describe('the page', { skip: CHROMIUM === undefined && 'Chromium is not there' }, () => {
  let context;
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'omdp-chromium-'));

  before(async () => {
    const { chromium } = require('playwright-core');
    context = await chromium.launchPersistentContext(profile, {
      executablePath: CHROMIUM,
      headless: true,
      args: FLAGS,
      viewport: { width: 1280, height: 900 },
    });
  });

  after(async () => {
    await context?.close();
    fs.rmSync(profile, { recursive: true, force: true });
  });

  /** A broker with its page open, and all that the browser complained of and asked for. */
  async function open(t, options = {}, { broker, worker } = {}) {
    const peers = peersFor(t, 'tcp');
    const trio = await peers.trio(
      (data, reply) => {
        if (data === 'fail') reply.error('failed');
        else reply.end(data);
      },
      { broker, worker: { name: 'W1', ...worker }, client: { name: 'C1' } },
    );
    const serve = (port) => {
      const monitor = createMonitor(trio.broker, { interval: 100, client: trio.client, ...options });
      const server = http.createServer(monitor);
      const end = () => {
        monitor.close();
        server.closeAllConnections();
        return new Promise((resolve) => server.close(resolve));
      };
      t.after(end);
      return new Promise((resolve) => {
        server.listen(port, '127.0.0.1', () => resolve({ end, port: server.address().port }));
      });
    };
    const { end, port } = await serve(0);
    const base = `http://127.0.0.1:${port}`;
    const page = await context.newPage();
    t.after(() => page.close());
    const complaints = [];
    const asked = [];
    page.on('console', (message) => {
      // Also its advice about the page.
      if (['error', 'warning', 'debug', 'verbose'].includes(message.type())) complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('request', (request) => asked.push(request.url()));
    await page.goto(`${base}/`);
    return { ...trio, asked, base, complaints, end, page, peers, port, serve };
  }

  /** The cells of the row of a table that is named so, by their columns. */
  function row(page, table, name) {
    return page.evaluate(
      ([id, wanted]) => {
        const { tHead, tBodies } = document.getElementById(id);
        const found = [...tBodies[0].rows].find(({ cells }) => cells[0].textContent === wanted);
        if (found === undefined) return null;
        const titles = [...tHead.rows[0].cells].map(({ textContent }) => textContent);
        return Object.fromEntries(titles.map((title, n) => [title, found.cells[n]?.textContent]));
      },
      [table, name],
    );
  }

  /** Waits until the row has these cells. */
  async function rowWith(page, table, name, cells) {
    const deadline = Date.now() + 10_000;
    for (;;) {
      const found = await row(page, table, name);
      if (found !== null && Object.entries(cells).every(([title, text]) => found[title] === text))
        return found;
      if (Date.now() > deadline) assert.deepEqual(found, cells);
      await page.waitForTimeout(50);
    }
  }

  test('the figures are those of a load, and change as it goes on', async (t) => {
    const { asked, base, client, complaints, page, peers } = await open(t);
    for (let n = 0; n < 5; n += 1) await ask(client, 'data');
    await ask(client, 'fail');
    await client.call(SERVICE, 'x', { timeout: 5000 });
    const counts = { workers: '1', requests: '7', replies: '6', failures: '1', errors: '0', waiting: '0' };
    await rowWith(page, 'services-table', SERVICE, counts);
    await rowWith(page, 'workers-table', 'W1', {
      service: SERVICE,
      answered: '7',
      'with errors': '1',
      dialect: 'omdp',
    });
    await rowWith(page, 'clients-table', 'C1', { dialect: 'omdp', requests: '0' });
    await ask(client, 'data');
    await rowWith(page, 'services-table', SERVICE, { requests: '8', replies: '7' });
    const second = peers.worker((data, reply) => reply.end(data), { service: 'second', name: 'W2' });
    await second.start();
    await rowWith(page, 'services-table', 'second', { workers: '1' });
    await page.locator('#events-table').getByText('worker: W2, service: second').waitFor();
    await page.selectOption('#shown', SERVICE);
    assert.match(await page.locator('#rate-text').textContent(), /^now: ended /);
    assert.ok((await page.locator('#charts canvas').count()) >= 3);
    assert.deepEqual(complaints, []);
    for (const url of asked) assert.ok(url.startsWith(base) || url.startsWith('data:'), url);
  });

  test('names of peers are text', async (t) => {
    const { complaints, page, peers } = await open(t);
    const worker = peers.worker((data, reply) => reply.end(data), { service: HOSTILE, name: `W${HOSTILE}` });
    await worker.start();
    await rowWith(page, 'services-table', SHOWN, { workers: '1' });
    await rowWith(page, 'workers-table', `W${SHOWN}`, { service: SHOWN });
    await page.locator('#events-table').getByText(`worker: W${SHOWN}, service: ${SHOWN}`).waitFor();
    assert.ok((await page.locator('#shown option').allTextContents()).includes(SHOWN));
    await page.selectOption('#shown', HOSTILE);
    // The answer of a worker, too, as JSON of several lines.
    await page.fill('#service', HOSTILE);
    await page.fill('#data', JSON.stringify(HOSTILE));
    await page.click('#request button');
    await page.locator('#reply', { hasText: '"parts"' }).waitFor();
    const reply = await page.locator('#reply').textContent();
    assert.equal(JSON.parse(reply).final, HOSTILE);
    assert.ok(reply.includes('\\u202e\\u061c\\u0007') && !/[\u202e\u061c]/.test(reply), reply);
    assert.equal(await page.title(), 'zmq-omdp');
    assert.equal(await page.locator('main img').count(), 0);
    assert.deepEqual(complaints, []);
  });

  test('the reason of a rejection may be any value', async (t) => {
    const { client, page, peers } = await open(t);
    await peers.worker((data, reply) => reply.reject(data), { service: 'reject', name: 'W2' }).start();
    // Before the broker knows the worker, the requests would end without it.
    await rowWith(page, 'services-table', 'reject', { workers: '1' });
    for (const reason of [{ why: ['busy'] }, 'text', 5, null]) {
      await client.call('reject', reason, { failFast: true }).catch(() => {});
      await page
        .locator('#events-table', { hasText: `reason: ${reason?.why ? '{"why":["busy"]}' : reason}` })
        .waitFor();
    }
  });

  test('what is not seen in a name is shown as an escape', async (t) => {
    const { page, peers } = await open(t);
    const units = (text) => text.split('').map((unit) => unit.charCodeAt(0).toString(16).padStart(4, '0'));
    const escaped = (text) =>
      units(text)
        .map((unit) => `\\u${unit}`)
        .join('');
    const names = [
      [INVISIBLE.map((each) => `x${each}`).join(''), INVISIBLE.map((each) => `x${escaped(each)}`).join('')],
      [' ', '\\u0020'],
      ['   ', '\\u0020\\u0020\\u0020'],
      [' a  b c ', '\\u0020a\\u0020 b c\\u0020'],
    ];
    for (const [name] of names)
      await peers.worker((data, reply) => reply.end(data), { service: name, name: `W${name}` }).start();
    for (const [name, shown] of names) {
      await rowWith(page, 'services-table', shown, { workers: '1' });
      await page.locator('#shown option', { hasText: shown }).first().waitFor({ state: 'attached' });
      assert.ok(name !== shown);
    }
    // The time of an event has such a blank in some languages.
    assert.match(
      await page.locator('#events-table tbody td, #events-table tbody th').first().textContent(),
      /^\d+[^\\]+$/,
    );
  });

  test('a service keeps its row and its counts without workers, and rows add up to the totals', async (t) => {
    const { client, page, worker } = await open(t);
    for (let n = 0; n < 4; n += 1) await ask(client, 'data');
    await ask(client, 'fail');
    await client.call('none', 1, { failFast: true }).catch(() => {});
    await worker.stop();
    const row = await rowWith(page, 'services-table', SERVICE, {
      workers: '0',
      requests: '5',
      failures: '1',
      failed: '1',
    });
    assert.ok(Number.parseFloat(row['per second']) > 0 && row['99 %'] !== '0 ms', JSON.stringify(row));
    await rowWith(page, 'services-table', 'all other services', { requests: '1', errors: '1', failed: '1' });
    assert.match(await page.locator('#totals').textContent(), /requests6/);
    assert.ok((await page.locator('#shown option').allTextContents()).includes(SERVICE));
  });

  test('the chart of a service that was in no snapshot for a while shows no load', async (t) => {
    const { page } = await open(t);
    await rowWith(page, 'workers-table', 'W1', {});
    const { rates, there } = await page.evaluate(
      ([at, name]) => {
        const charts = new window.Charts();
        charts.show(name);
        const values = [9, 9, 1, 0, 0, 1, 1];
        charts.begin([{ at, all: values, rows: { [name]: values } }]);
        charts.add({ at: at + 100, all: values, rows: {} });
        for (const later of [200, 300]) charts.add({ at: at + later, all: values, rows: { [name]: values } });
        const [{ plot }] = charts.plots;
        return { rates: plot.data[1], there: charts.plots[1].plot.data[1] };
      },
      [Date.now(), SERVICE],
    );
    assert.deepEqual(
      [rates, there],
      [
        [null, null, null, 0],
        [0, null, 0, 0],
      ],
    );
  });

  test('what has no row or no chart of its own is told', async (t) => {
    const { broker, complaints, page } = await open(t);
    const stats = await broker.stats();
    const [service] = stats.services;
    const many = (count, entry) =>
      Array.from({ length: count }, (_, n) => entry(`n${String(n).padStart(4, '0')}`));
    broker.stats = async () => ({
      ...stats,
      services: many(600, (name) => ({ ...service, name, workers: 1 })),
      workers: many(700, (name) => ({ ...stats.workers[0], name })),
      clients: 1200,
      clientList: many(1000, (name) => ({ ...stats.clientList[0], name })),
    });
    for (const [note, text] of [
      ['charts', '400 more services have no charts of their own.'],
      ['services', 'The 100 least busy services share the last row.'],
      ['workers', '200 more workers are not shown.'],
      ['clients', '700 more clients are not shown.'],
    ])
      await page.locator(`#${note}-note`, { hasText: text }).waitFor();
    await rowWith(page, 'services-table', 'all other services', { workers: '100' });
    broker.stats = async () => stats;
    await page.locator('#services-note').waitFor({ state: 'hidden' });
    assert.deepEqual(complaints, []);
  });

  test('an update changes what is new, and leaves a selection and the place of a reader as they are', async (t) => {
    const { client, page } = await open(t);
    await rowWith(page, 'workers-table', 'W1', { answered: '0', 'with errors': '0' });
    await page.evaluate(() => {
      const { rows } = document.getElementById('workers-table').tBodies[0];
      window.firstRow = rows[0];
      getSelection().selectAllChildren(rows[0].cells[0]);
    });
    await ask(client, 'fail');
    await rowWith(page, 'workers-table', 'W1', { answered: '1', 'with errors': '1' });
    const kept = await page.evaluate(() => {
      const row = document.getElementById('workers-table').tBodies[0].rows[0];
      const bad = getComputedStyle(row.cells[7]).color !== getComputedStyle(row.cells[6]).color;
      return { same: row === window.firstRow, selected: String(getSelection()), bad };
    });
    assert.deepEqual(kept, { same: true, selected: 'W1', bad: true });
  });

  test('it comes alive again after its process was away', async (t) => {
    const { end, page, peers, port, serve } = await open(t);
    await page.locator('#state[data-state=live]').waitFor();
    await end();
    await page.locator('#state[data-state=lost]').waitFor();
    await serve(port);
    await page.locator('#state[data-state=live]').waitFor();
    await peers.worker((data, reply) => reply.end(data), { service: 'afterwards' }).start();
    await rowWith(page, 'services-table', 'afterwards', { workers: '1' });
  });

  test('a test request, with the keyboard alone', async (t) => {
    const { page } = await open(t);
    await page.locator('#request-section:not([hidden])').waitFor();
    await page.focus('#service');
    await page.keyboard.type(SERVICE);
    await page.keyboard.press('Tab');
    await page.keyboard.press('ControlOrMeta+a');
    await page.keyboard.type('{"n": [1, 2]}');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.locator('#reply', { hasText: '"parts"' }).waitFor();
    assert.deepEqual(JSON.parse(await page.locator('#reply').textContent()).final, { n: [1, 2] });
  });

  test('the tab key visits all that can be used, in the order of the page, and shows where it is', async (t) => {
    const { page } = await open(t);
    await page.locator('#request-section:not([hidden])').waitFor();
    await rowWith(page, 'workers-table', 'W1', {});
    const visited = [];
    for (;;) {
      await page.keyboard.press('Tab');
      const at = await page.evaluate(() => {
        const { activeElement: element } = document;
        if (element === document.body) return null;
        const { outlineStyle, outlineWidth } = getComputedStyle(element);
        return {
          name: element.id || element.getAttribute('aria-label') || element.textContent,
          outlined: outlineStyle !== 'none' && outlineWidth !== '0px',
        };
      });
      if (at === null || at.name === visited[0]) break;
      visited.push(at.name);
      assert.ok(at.outlined, `no outline: ${at.name}`);
    }
    assert.deepEqual(visited, [
      'Skip to the services',
      'shown',
      'Table of services',
      'Table of workers',
      'Table of clients',
      'Table of events',
      'service',
      'data',
      'Send',
    ]);
    await page.locator('.skip').focus();
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    assert.equal(
      await page.evaluate(() => document.activeElement.getAttribute('aria-label')),
      'Table of services',
    );
  });

  test('the colours are those that the system asks for, at once when it changes, in the charts too', async (t) => {
    const { complaints, page } = await open(t);
    await rowWith(page, 'workers-table', 'W1', {});
    const brightness = (property) =>
      page.evaluate((name) => {
        const [red, green, blue] = getComputedStyle(document.body)[name].match(/\d+/g).map(Number);
        return (red + green + blue) / 3;
      }, property);
    /** Whether a chart has drawn lines of the grid in the colour that the style of the page gives them. */
    const gridDrawn = () =>
      page.evaluate(() => {
        const hex = getComputedStyle(document.documentElement).getPropertyValue('--line').trim();
        const wanted = [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
        const chart = document.querySelector('#queue canvas');
        // A copy is read: Chromium advises against repeated readings of the chart's own canvas, on the console.
        const copy = new OffscreenCanvas(chart.width, chart.height).getContext('2d', {
          willReadFrequently: true,
        });
        copy.drawImage(chart, 0, 0);
        const { data } = copy.getImageData(0, 0, chart.width, chart.height);
        for (let at = 0; at < data.length; at += 4) {
          if (data[at + 3] === 255 && wanted.every((value, n) => data[at + n] === value)) return true;
        }
        return false;
      });
    const waitForGrid = async () => {
      const deadline = Date.now() + 10_000;
      while (!(await gridDrawn())) assert.ok(Date.now() < deadline, 'the charts keep the other colours');
    };
    await page.emulateMedia({ colorScheme: 'light' });
    const light = { back: await brightness('backgroundColor'), text: await brightness('color') };
    await waitForGrid();
    await page.emulateMedia({ colorScheme: 'dark' });
    const dark = { back: await brightness('backgroundColor'), text: await brightness('color') };
    assert.ok(light.back > 200 && light.text < 60, JSON.stringify(light));
    assert.ok(dark.back < 60 && dark.text > 200, JSON.stringify(dark));
    await waitForGrid();
    assert.deepEqual(complaints, []);
  });

  test('a token is asked for', async (t) => {
    const { asked, page } = await open(t, { token: 'secret' });
    await page.locator('#state', { hasText: 'a token is needed' }).waitFor();
    for (const wrong of ['wrong', '€']) {
      await page.fill('#token', wrong);
      await page.keyboard.press('Enter');
      await page.locator('#state', { hasText: 'the token is wrong' }).waitFor();
    }
    await page.fill('#token', 'secret');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Enter');
    await rowWith(page, 'workers-table', 'W1', { service: SERVICE });
    assert.equal(await page.locator('#login').isVisible(), false);
    // Without a token, with a wrong one, and with the right one: whatever was pressed, it is asked for once.
    assert.equal(asked.filter((url) => url.endsWith('/events')).length, 3);
  });

  for (const [colorScheme, width] of [
    ['light', 1280],
    ['dark', 1280],
    ['dark', 360],
  ]) {
    test(`nothing is in the way of anybody: ${colorScheme}, ${width} wide`, async (t) => {
      const { page, peers } = await open(t);
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 800 });
      await rowWith(page, 'workers-table', 'W1', {});
      await peers.worker((_data, reply) => reply.end(), { service: LONG, name: 'W2' }).start();
      await rowWith(page, 'services-table', LONG, { workers: '1' });
      // The policy of the page forbids scripts of others, which this one is.
      const source = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
      const { violations } = await page.evaluate(`${source}; axe.run()`);
      assert.deepEqual(
        violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]),
        [],
      );
      const { right, title } = await page.evaluate(() => {
        const [name] = document.getElementById('services-table').tBodies[0].rows[0].cells;
        return { right: name.getBoundingClientRect().right, title: name.title };
      });
      assert.ok(title === LONG && right < width * 0.6, `the figures begin at ${right} px`);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(overflow <= 0, `${overflow} px too wide`);
    });
  }

  test('a picture for docs/monitoring.md', { skip: !process.env.OMDP_SCREENSHOT }, async (t) => {
    const { client, page, peers, worker } = await open(
      t,
      { interval: 1000 },
      { broker: { name: 'broker-1' }, worker: { service: 'orders' } },
    );
    await worker.stop();
    const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    for (const [service, count, ms] of [
      ['orders', 2, 20],
      ['mail', 1, 60],
      ['images', 1, 150],
    ]) {
      for (let n = 1; n <= count; n += 1) {
        const conf = { service, name: `${service}-${n}`, concurrency: 8 };
        await peers
          .worker(async (_data, reply) => {
            await wait(ms * (1 + Math.random()));
            if (Math.random() < 0.03) reply.error('failed');
            else reply.end();
          }, conf)
          .start();
      }
    }
    for (let at = 0; at < 75_000; at += 100) {
      const load = 1 + 0.7 * Math.sin(at / 10_000);
      for (const [service, each] of [
        ['orders', 8],
        ['mail', 0.8],
        ['images', 0.4],
      ]) {
        const calls = Math.floor(each * load + Math.random());
        for (let n = 0; n < calls; n += 1) ask(client, 'data', {}, service);
      }
      await wait(100);
    }
    await page.setViewportSize({ width: 1280, height: 1000 });
    await page.screenshot({ path: process.env.OMDP_SCREENSHOT });
  });
});
