'use strict';
// The broker that is attacked, in a process of its own: tells what it has grown to, and what is left in its tables.
const fs = require('node:fs');
const readline = require('node:readline');
const { Broker } = require('../..');

const { endpoint, conf, asks } = JSON.parse(process.argv[2]);
const EVENTS = [
  'badMessage',
  'limitReached',
  'queueFull',
  'clientGone',
  'workerGone',
  'denied',
  'peerRefused',
  'descriptorsExhausted',
];

const say = (what, value) => fs.writeSync(1, `${JSON.stringify({ what, value })}\n`);

/** From /proc, since JavaScript's own figures are of a moment. */
function peak() {
  const status = fs.readFileSync('/proc/self/status', 'utf8');
  return Number(status.match(/VmHWM:\s+(\d+) kB/)?.[1]) * 1024;
}

async function main() {
  // An answer takes 50 ms, as from a data base.
  const authorize = ({ user }) => new Promise((resolve) => setTimeout(resolve, 50, user === 'honest'));
  const security = asks ? { security: { ...conf.security, authorize } } : {};
  const broker = new Broker(endpoint, { ...conf, ...security });
  const events = {};
  for (const name of EVENTS)
    broker.on(name, () => {
      events[name] = (events[name] ?? 0) + 1;
    });
  await broker.start();
  say('started', peak());
  for await (const line of readline.createInterface({ input: process.stdin })) {
    if (line === 'report') say('report', { peak: peak(), events, stats: await broker.stats() });
  }
  process.exit();
}

main();
