'use strict';
// Brokers that are killed again and again, under load, and what becomes of the requests. The broker, the worker and
// the client are processes of their own.

/** Runs in a child: a broker. */
async function brokerProgram({ omdp, say, endpoint, conf }) {
  await new omdp.Broker(endpoint, conf).start();
  say('started');
}

/**
 * Runs in a child: a worker whose requests take up to `slow` ms, now and then with parts. At the end of the input it
 * says which it has started twice.
 */
async function workerProgram({ omdp, say, endpoint, service, conf, slow }) {
  const started = new Set();
  const twice = [];
  const worker = new omdp.Worker(endpoint, service, { ...conf, concurrency: 8 });
  worker.on('request', (n, reply) => {
    if (started.has(n)) twice.push(n);
    started.add(n);
    const parts = n % 10 === 0 ? 5 : 0;
    const every = ((n * 7919) % slow) / (parts + 1);
    let sent = 0;
    const next = () => {
      if (sent === parts) return reply.end(n);
      reply.write(sent++);
      setTimeout(next, every);
    };
    setTimeout(next, every);
  });
  await worker.start();
  say('started');
  process.stdin.once('data', () => {
    say('result', { started: [...started], twice });
    worker.stop({ timeout: 0 });
    process.stdin.pause();
  });
}

/**
 * Runs in a child: a client with a number of requests outstanding, until its input ends; then it says what became of
 * all of them.
 */
async function clientProgram({ omdp, say, endpoint, service, conf, outstanding }) {
  const client = new omdp.Client(endpoint, conf);
  let [asked, open, stopping] = [0, 0, false];
  const codes = {};
  /** Requests that ended more than once; streams with parts lost, doubled or out of order; wrong replies. */
  const faults = [];
  const done = new Set();
  const settle = () => {
    if (stopping && open === 0) {
      say('result', { asked, codes, faults });
      client.stop();
    }
  };
  const ask = () => {
    const n = asked++;
    open++;
    let parts = 0;
    client.request(
      service,
      n,
      (_, part) => {
        if (part !== parts++) faults.push(`part ${part} of ${n} in the place of ${parts - 1}`);
      },
      (code, value) => {
        if (done.has(n)) faults.push(`a second end of ${n}`);
        done.add(n);
        const how = code === null ? 'answered' : code;
        codes[how] = (codes[how] ?? 0) + 1;
        if (code === null && value !== n) faults.push(`${value} for ${n}`);
        if (code === null && parts !== (n % 10 === 0 ? 5 : 0)) faults.push(`${parts} parts of ${n}`);
        open--;
        if (stopping) settle();
        else ask();
      },
    );
  };
  await client.start();
  say('started');
  for (let i = 0; i < outstanding; i++) ask();
  process.stdin.once('data', () => {
    stopping = true;
    settle();
    process.stdin.pause();
  });
}

/**
 * @param {(program: Function, args: object) => any} run starts a program in a child
 * @param {{ endpoint: string, kills: number, every: number, slow?: number, outstanding?: number, heartbeat?: number }} how
 */
async function killAgainAndAgain(
  run,
  { endpoint, kills, every, slow = 60, outstanding = 200, heartbeat = 500 },
) {
  const conf = { heartbeat };
  const args = { endpoint, service: 'restarts', conf, slow, outstanding };
  let broker = run(brokerProgram, args);
  await broker.said('started');
  const worker = run(workerProgram, args);
  const client = run(clientProgram, args);
  await Promise.all([worker.said('started'), client.said('started')]);
  for (let kill = 0; kill < kills; kill++) {
    await new Promise((resolve) => setTimeout(resolve, every));
    broker.kill();
    await broker.ended;
    broker = run(brokerProgram, args);
    await broker.said('started');
  }
  client.tell('end');
  const { asked, codes, faults } = (await client.said('result')).value;
  worker.tell('end');
  const { started, twice } = (await worker.said('result')).value;
  broker.kill();
  const ends = Object.values(codes).reduce((sum, count) => sum + count, 0);
  return { asked, ends, codes, faults, started: started.length, twice };
}

module.exports = { brokerProgram, killAgainAndAgain };
