'use strict';
// This package with a broker under full observation: its metrics are scraped every second, a page is connected,
// and each ended request is an event.
const http = require('node:http');
const path = require('node:path');
const { omdp } = require('./omdp.js');
const ours = require('./ours.js');

const load = () => require(path.join(__dirname, '..', '..'));

const SCRAPE_MS = 1000;
const OBSERVED = { logRequests: true };

const seen = { ended: 0 };

/** Scrapes as Prometheus does, and reads events as the page does. @param {any} broker running */
async function watch(broker) {
  const { createMonitor } = require('../../lib/monitor');
  const server = http.createServer(createMonitor(broker));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  const at = (where) => `http://127.0.0.1:${port}/${where}`;
  const scrape = async () => (await fetch(at('metrics'))).text();
  if (!(await scrape()).includes('omdp_requests_total')) throw new Error('the metrics are not there');
  setInterval(scrape, SCRAPE_MS).unref();
  const { body } = await fetch(at('events'));
  (async () => {
    for await (const _chunk of body);
  })();
}

function observed() {
  const package_ = load();
  class Broker extends package_.Broker {
    constructor(endpoint, conf) {
      super(endpoint, conf);
      this.on('requestEnded', () => {
        seen.ended += 1;
      });
      this.on('start', () => watch(this));
    }
  }
  return { ...package_, Broker };
}

const { broker, worker, client } = omdp(observed);

module.exports = {
  ...ours,
  name: 'observed',
  title: 'zmq-omdp 1.0, observed',
  can: ['text', 'parts', 'bytes'],
  /** Takes part only if it is named. */
  asked: true,

  async prepare() {
    return { ...(await ours.prepare()), conf: { broker: OBSERVED } };
  },

  broker,
  worker,
  client,
};
