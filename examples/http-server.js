'use strict';
// A broker inside an HTTP server: the HTTP handlers are clients, and workers in other processes do the work. The server
// stays responsive however busy the workers are, and workers can be added while it runs.
//
//   node examples/http-server.js          makes some requests to itself, then ends
//   node examples/http-server.js serve    serves until Ctrl-C
const { fork } = require('node:child_process');
const { once } = require('node:events');
const http = require('node:http');
const { Broker, Client, Worker } = require('zmq-omdp');

/** The HTTP status for each error code. */
const STATUS = { C_TIMEOUT: 504, W_LOST: 502, B_LOST: 503, BAD_NUMBER: 400 };

async function serve() {
  const broker = new Broker(process.env.OMDP_ENDPOINT ?? 'tcp://127.0.0.1:*');
  await broker.start();
  const [endpoint] = broker.endpoints;
  const client = new Client(endpoint);
  await client.start();
  const work = fork(__filename, ['work', endpoint]);
  // A real program would start another process instead.
  work.once('exit', (code) => code && process.exit(1));
  await once(work, 'message');

  const server = http.createServer(async (req, res) => {
    const { pathname } = new URL(req.url, 'http://localhost');
    const [, service, argument] = pathname.split('/');
    if (service !== 'primes') return answer(res, 404, { error: 'try /primes/100' });
    // A closed connection cancels the request, also at its worker.
    const gone = new AbortController();
    res.on('close', () => gone.abort());
    try {
      const options = { signal: gone.signal, timeout: 10_000 };
      answer(res, 200, await client.call('primes', Number(argument), options));
    } catch (error) {
      answer(res, STATUS[error.code] ?? 500, { error: error.message, code: error.code });
    }
  });
  server.listen(Number(process.env.PORT ?? 0), '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${server.address().port}`;
  console.log(`http: ${url}/primes/100, broker: ${endpoint}`);

  const stop = async () => {
    server.closeAllConnections();
    server.close();
    await client.stop();
    work.disconnect();
    await once(work, 'exit');
    await broker.stop();
    console.log('stopped');
  };
  return { url, stop };
}

/** @param {http.ServerResponse} res @param {number} status @param {unknown} body */
function answer(res, status, body) {
  res.writeHead(status, { 'content-type': 'application/json' });
  res.end(JSON.stringify(body));
}

/** The other process. */
function work(endpoint) {
  const worker = new Worker(endpoint, 'primes');
  worker.on('request', (below, reply) => {
    if (!Number.isInteger(below)) return reply.error({ code: 'BAD_NUMBER', message: 'not a whole number' });
    const primes = [];
    for (let n = 2; n < below; n += 1) if (primes.every((prime) => n % prime !== 0)) primes.push(n);
    reply.end({ count: primes.length, last: primes.at(-1) });
  });
  worker.once('connect', () => process.send('ready'));
  worker.start();
  // The server has stopped or died: running requests end, then this process ends.
  process.once('disconnect', () => worker.stop());
}

async function main() {
  if (process.argv[2] === 'work') return work(process.argv[3]);
  const { url, stop } = await serve();
  if (process.argv[2] === 'serve') return process.once('SIGINT', stop);

  for (const path of ['/primes/100', '/primes/20000', '/primes/many', '/']) {
    const response = await fetch(url + path);
    console.log(`GET ${path} -> ${response.status} ${await response.text()}`);
  }
  await stop();
}

main();
