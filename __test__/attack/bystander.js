'use strict';
// An honest client and its honest worker: call one after the other, and tell what was lost and how long it took.
const fs = require('node:fs');
const readline = require('node:readline');
const { Client, Worker } = require('../..');

const { endpoint, keys = {} } = JSON.parse(process.argv[2]);
const say = (what, value) => fs.writeSync(1, `${JSON.stringify({ what, value })}\n`);

async function main() {
  const worker = new Worker(endpoint, 'honest', { concurrency: -1, ...keys });
  worker.on('request', (data, reply) => reply.end(data));
  const client = new Client(endpoint, keys);
  await worker.start();
  await client.start();
  const waits = [];
  const lost = [];
  const ask = async () => {
    const begun = performance.now();
    await client.call('honest', waits.length, { timeout: 20_000 }).catch(({ code }) => lost.push(code));
    waits.push(performance.now() - begun);
  };
  await ask();
  waits.length = 0;
  const timer = setInterval(ask, 5);
  say('started');
  for await (const line of readline.createInterface({ input: process.stdin })) {
    if (line !== 'report') continue;
    clearInterval(timer);
    while ((await client.stats()).outstanding > 0) await new Promise((resolve) => setTimeout(resolve, 10));
    const sorted = waits.sort((a, b) => a - b);
    say('report', {
      calls: sorted.length,
      lost,
      p99: sorted[Math.floor(sorted.length * 0.99)],
      longest: sorted.at(-1),
    });
  }
  process.exit();
}

main();
