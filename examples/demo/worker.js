'use strict';
// The worker of the demo: four services in one process, each with its own `Worker`.
const fs = require('node:fs');
const path = require('node:path');
const { Worker } = require('zmq-omdp');
const { say, done } = require('./say');

const FILE = path.join(__dirname, '..', '..', 'README.md');

const services = {
  greet({ name }, reply) {
    say(`takes it, and ends its reply with "Hello, ${name}!"`);
    reply.end(`Hello, ${name}!`);
  },

  count(to, reply) {
    say(`takes it, writes ${to} parts, and ends its reply`);
    for (let n = 1; n <= to; n += 1) reply.write(n);
    reply.end('that was all');
  },

  divide({ a, b }) {
    say('takes it, and throws: this cannot be done');
    if (b === 0) throw Object.assign(new RangeError(`cannot divide ${a} by ${b}`), { code: 'DIVISION' });
  },

  file(name, reply) {
    say(`takes it, and pipes ${name} into its reply`);
    fs.createReadStream(FILE, { highWaterMark: 4096 }).pipe(reply);
  },
};

async function main() {
  const workers = Object.entries(services).map(([service, handler]) => {
    const worker = new Worker(process.argv[2], service);
    worker.on('request', (data, reply) => {
      // 'close' is emitted when the reply has ended, in any way.
      reply.once('close', () => done());
      return handler(data, reply);
    });
    return worker;
  });
  await Promise.all(workers.map((worker) => worker.start()));
  say(`process ${process.pid} offers ${Object.keys(services).join(', ')}`);
  done();

  process.once('disconnect', () => {
    for (const worker of workers) worker.stop();
  });
}

main();
