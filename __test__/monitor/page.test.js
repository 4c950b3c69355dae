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

const HOSTILE = '<img src=x onerror="document.title=\'harm\'">"&\u202e';

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
  async function open(t, options = {}) {
    const peers = peersFor(t, 'tcp');
    const trio = await peers.trio(
      (data, reply) => {
        if (data === 'fail') reply.error('failed');
        else reply.end(data);
      },
      { worker: { name: 'W1' }, client: { name: 'C1' } },
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
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
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
    await rowWith(page, 'services-table', HOSTILE, { workers: '1' });
    await rowWith(page, 'workers-table', `W${HOSTILE}`, { service: HOSTILE });
    assert.equal(await page.title(), 'zmq-omdp');
    assert.equal(await page.locator('main img').count(), 0);
    assert.deepEqual(complaints, []);
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
    assert.deepEqual(JSON.parse(await page.locator('#reply').textContent()).parts, [{ n: [1, 2] }]);
  });

  test('a token is asked for', async (t) => {
    const { page } = await open(t, { token: 'secret' });
    await page.fill('#token', 'secret');
    await page.keyboard.press('Enter');
    await rowWith(page, 'workers-table', 'W1', { service: SERVICE });
    assert.equal(await page.locator('#login').isVisible(), false);
  });

  for (const [colorScheme, width] of [
    ['light', 1280],
    ['dark', 1280],
    ['dark', 360],
  ]) {
    test(`nothing is in the way of anybody: ${colorScheme}, ${width} wide`, async (t) => {
      const { page } = await open(t);
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 800 });
      await rowWith(page, 'workers-table', 'W1', {});
      // The policy of the page forbids scripts of others, which this one is.
      const source = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
      const { violations } = await page.evaluate(`${source}; axe.run()`);
      assert.deepEqual(
        violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]),
        [],
      );
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(overflow <= 0, `${overflow} px too wide`);
      if (process.env.OMDP_SCREENSHOT && width === 1280 && colorScheme === 'light') {
        await page.screenshot({ path: process.env.OMDP_SCREENSHOT });
      }
    });
  }
});
