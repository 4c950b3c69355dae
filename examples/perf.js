'use strict';
// A broker, workers and a client, each in a separate process. The client makes all its requests in one tick. The time is
// measured until every request is answered.
//
//   node examples/perf.js [--requests 100000] [--workers 1] [--concurrency 1] [--bytes 3]
const { fork } = require('node:child_process');
const { once } = require('node:events');
const { parseArgs } = require('node:util');
const { Broker, Worker, Client } = require('zmq-omdp');

const DEFAULTS = { requests: '100000', workers: '1', concurrency: '1', bytes: '3' };

function readFlags() {
  const options = Object.fromEntries(
    Object.entries(DEFAULTS).map(([name, value]) => [name, { type: 'string', default: value }]),
  );
  const { values } = parseArgs({ options });
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, Number(value)]));
}

/** Each role runs in a child process, which first receives its settings. */
const ROLES = {
  async broker() {
    const broker = new Broker(process.env.OMDP_ENDPOINT ?? 'tcp://127.0.0.1:*');
    await broker.start();
    process.send({ endpoint: broker.endpoints[0] });
    process.once('disconnect', () => broker.stop());
  },

  async worker({ endpoint, concurrency }) {
    const worker = new Worker(endpoint, 'echo', { concurrency });
    worker.on('request', (data, reply) => reply.end(data));
    worker.once('connect', () => process.send({}));
    process.once('disconnect', () => worker.stop());
    await worker.start();
  },

  async client({ endpoint, requests, bytes }) {
    const client = new Client(endpoint);
    await client.start();
    const data = 'x'.repeat(bytes);
    // Connecting is not part of the measured time.
    await client.call('echo', data);
    let answered = 0;
    const wrong = [];
    const start = performance.now();
    await new Promise((done) => {
      const onFinal = (error, echo) => {
        if (error !== null || echo !== data) wrong.push(error);
        answered += 1;
        if (answered === requests) done();
      };
      for (let i = 0; i < requests; i += 1) client.request('echo', data, null, onFinal, { timeout: -1 });
    });
    const seconds = (performance.now() - start) / 1000;
    await client.stop();
    process.send({ answered, wrong: wrong.length, seconds });
    process.disconnect();
  },
};

/** Starts a role in a separate process, and waits for its first message. */
async function launch(role, conf) {
  const child = fork(__filename, ['role', role, JSON.stringify(conf)]);
  child.once('exit', (code) => {
    if (code === 0) return;
    console.error(`the ${role} failed`);
    process.exit(1);
  });
  const [word] = await once(child, 'message');
  return { child, word };
}

async function main() {
  if (process.argv[2] === 'role') return ROLES[process.argv[3]](JSON.parse(process.argv[4]));
  const flags = readFlags();
  const { child: broker, word } = await launch('broker', {});
  const { endpoint } = word;
  const workers = [];
  for (let i = 0; i < flags.workers; i += 1) {
    workers.push((await launch('worker', { endpoint, ...flags })).child);
  }
  const { word: result } = await launch('client', { endpoint, ...flags });
  for (const child of [...workers, broker]) {
    child.disconnect();
    await once(child, 'exit');
  }

  const { answered, wrong, seconds } = result;
  console.log(
    `${answered} of ${flags.requests} requests answered, ${wrong} wrong, in ${seconds.toFixed(2)} s`,
  );
  console.log(`${Math.round(answered / seconds)} requests/s with ${flags.workers} worker(s)`);
  if (wrong > 0) process.exitCode = 1;
}

main();
