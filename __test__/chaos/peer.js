'use strict';
// One process of the chaos: a broker, a worker or a client, by its arguments. Whoever starts it may kill or stop it at
// any time, so what it has to tell it writes at once.
const fs = require('node:fs');
const { Broker, Client, Worker } = require('../..');

/** @type {{ role: string, endpoints: string[], name: string, conf: object, link: { heartbeat: number, liveness: number }, starts: string, services: number, pace: number, data: number, requests: object[], uploads: boolean }} */
const conf = JSON.parse(process.argv[2]);

const SERVICES = Array.from({ length: conf.services }, (_, n) => `chaos${n}`);

/** Parts of a stream that is a request's data. */
const CHUNKS = 40;

const say = (...what) => fs.writeSync(1, `${JSON.stringify(what)}\n`);

async function broker() {
  const broker = new Broker(conf.endpoints, conf.link);
  await broker.start();
  say('started');
  process.stdin.once('data', () => broker.stop().then(() => process.exit()));
}

async function worker() {
  const starts = fs.openSync(conf.starts, 'a');
  const handlerOf = (service) => async (data, reply, opts) => {
    const isStream = Symbol.asyncIterator in data;
    const { id, work, parts, every, bytes } = isStream ? JSON.parse(opts.headers.shape) : data;
    fs.writeSync(starts, `${id} ${conf.name}\n`);
    let chunks = 0;
    // A gap changes the number.
    if (isStream) for await (const chunk of data) chunks = chunk === chunks ? chunks + 1 : Number.NaN;
    for (let part = 0; part < parts; part += 1) {
      reply.write(part);
      if (every > 0) await new Promise((resolve) => setTimeout(resolve, every));
    }
    const end = () => {
      reply.end({ id, service, chunks, bytes: 'x'.repeat(bytes) });
      fs.writeSync(starts, `${id} ${conf.name} ended\n`);
    };
    if (work === 0) end();
    else setTimeout(end, work);
  };
  const link = { ...conf.link, reconnect: 50, name: conf.name, ...conf.conf };
  const [only, ...others] = SERVICES;
  const handlers = Object.fromEntries(SERVICES.map((service) => [service, handlerOf(service)]));
  const worker = new Worker(conf.endpoints, others.length > 0 ? handlers : only, link);
  if (others.length === 0) worker.on('request', handlers[only]);
  await worker.start();
  say('started');
}

/** Some numbers, over some time. */
async function* numbers() {
  for (let n = 0; n < CHUNKS; n += 1) {
    yield n;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function client() {
  const client = new Client(conf.endpoints, { ...conf.link, name: conf.name });
  await client.start();
  // A line that dies before the first hello ever is a broker of 0.0.92 to a client, while the system acknowledges what
  // it sends, as that of a relay does.
  let greeted = false;
  for (let n = 0; !greeted; n += 1) {
    const data = { id: `${conf.name}/hello-${n}`, work: 0, parts: 0, every: 0, bytes: 0 };
    greeted = await client.call(SERVICES[0], data, { timeout: -1 }).then(
      () => true,
      () => false,
    );
  }
  say('started');
  let last = 0;
  const ask = () => {
    last += 1;
    const id = `${conf.name}/${last}`;
    const service = SERVICES[last % SERVICES.length];
    const uploads = conf.uploads && last % 40 === 7;
    const begun = process.hrtime.bigint();
    // Not every one is alike: some take a while, some come in parts, some of these for long, some are large.
    const isLong = last % 50 === 1;
    const data = {
      id,
      work: [0, 1, 5, 20][last % 4],
      parts: isLong ? 30 : last % 3,
      every: isLong ? 10 : 0,
      bytes: last % 10 === 0 ? conf.data : 10,
    };
    const { retry, ...terms } = conf.requests[last % conf.requests.length];
    const opts = uploads ? { ...terms, headers: { shape: JSON.stringify(data) } } : { ...terms, retry };
    say('begin', id);
    let [next, gaps] = [0, 0];
    client.request(
      service,
      uploads ? numbers() : data,
      (part) => {
        gaps += Number(part !== next);
        next += 1;
      },
      (error, reply) => {
        const wait = Number((process.hrtime.bigint() - begun) / 1_000_000n);
        const right = error || (reply.id === id && reply.service === service);
        const arrived = next === data.parts && reply?.chunks === (uploads ? CHUNKS : 0);
        const whole = gaps === 0 && (error || arrived);
        const end = whole
          ? (error?.code ?? error ?? null)
          : `parts are missing: ${gaps}, ${next} of ${data.parts}`;
        say('end', id, right ? end : 'another request’s reply', wait);
      },
      opts,
    );
  };
  const timer = setInterval(ask, conf.pace);
  process.stdin.once('data', () => clearInterval(timer));
}

({ broker, worker, client })[conf.role]().catch((error) => {
  say('failed', error.message);
  process.exitCode = 1;
});
