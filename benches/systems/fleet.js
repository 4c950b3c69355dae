'use strict';
// Many workers or clients in one process, for the scenarios that scale.
const { endpoint } = require('./omdp.js');

/** How many peers are started at the same time. */
const AT_ONCE = 200;

/**
 * @param {any} omdp the package
 * @param {{ kind: 'workers' | 'clients' | 'spread', count: number, first: number, service: string, apart:
 * boolean, peer?: object, ports: number[] }} conf `apart`: each has its own service, with its number after
 * the name
 * @param {{ handled: number }} tally
 */
async function fleet(omdp, conf, tally) {
  if (conf.kind === 'spread') return spread(omdp, conf);
  const peers = [];
  const make = (number) => {
    if (conf.kind === 'clients') return new omdp.Client(endpoint(conf), conf.peer);
    const worker = new omdp.Worker(
      endpoint(conf),
      conf.apart ? `${conf.service}${number}` : conf.service,
      conf.peer,
    );
    worker.on('request', (data, reply) => {
      tally.handled += 1;
      reply.end(data);
    });
    return worker;
  };
  for (let from = 0; from < conf.count; from += AT_ONCE) {
    const batch = [];
    for (let i = from; i < Math.min(from + AT_ONCE, conf.count); i += 1) batch.push(make(conf.first + i));
    // Waits until they are connected: the broker knows each of them.
    await Promise.all(
      batch.map(
        (peer) =>
          new Promise((resolve) => {
            peer.once('connect', resolve);
            peer.start();
          }),
      ),
    );
    peers.push(...batch);
  }
  if (conf.kind !== 'clients') return undefined;
  let next = 0;
  return {
    /** Each request is made by another client. */
    request(data, done) {
      peers[next].request(conf.service, data, undefined, done);
      next = (next + 1) % peers.length;
    },
  };
}

/** One client, whose requests go to one service after the other. */
function spread(omdp, conf) {
  const client = new omdp.Client(endpoint(conf), conf.peer);
  const services = Array.from({ length: conf.count }, (_, i) => `${conf.service}${i}`);
  let next = 0;
  client.start();
  return {
    request(data, done) {
      client.request(services[next], data, undefined, done);
      next = (next + 1) % services.length;
    },
  };
}

module.exports = { fleet };
