'use strict';
// `npm run smoke`: installs the tarballs in dist/ into an empty folder, without running scripts, and sends a
// request through a broker and a worker there, by require and by import.
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { hostPlatform, root } = require('./platforms.js');
const { npm, run } = require('./run.js');

const TALK = `
async function talk(how, { Broker, Worker, Client }) {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const endpoint = 'tcp://127.0.0.1:' + server.address().port;
  server.close();
  await once(server, 'close');

  const broker = new Broker(endpoint);
  const worker = new Worker(endpoint, 'echo');
  const client = new Client(endpoint);
  worker.on('request', (data, reply) => reply.end(data));
  await Promise.all([broker.start(), worker.start(), client.start()]);
  const echo = await client.call('echo', 'hello');
  await Promise.all([client.stop(), worker.stop(), broker.stop()]);
  if (echo !== 'hello') throw new Error('got ' + echo);
  console.log(how + ': a request went there and back');
}
`;
const BY_REQUIRE = `
const net = require('node:net');
const { once } = require('node:events');
${TALK}
talk('require', require('zmq-omdp'));
`;
const BY_IMPORT = `
import net from 'node:net';
import { once } from 'node:events';
import { Broker, Worker, Client } from 'zmq-omdp';
${TALK}
await talk('import', { Broker, Worker, Client });
`;

/** The tarballs for this machine: the package and its platform package. */
function tarballs() {
  const dist = path.join(root, 'dist');
  const platform = hostPlatform()?.name;
  const names = fs.existsSync(dist) ? fs.readdirSync(dist) : [];
  const mine = names.filter((name) => /^zmq-omdp-\d/.test(name) || name.startsWith(`${platform}-`));
  if (mine.length !== 2) {
    console.error('dist/ lacks the tarballs of this machine: run "npm run pack:local" first.');
    process.exit(1);
  }
  return mine.map((name) => path.join(dist, name));
}

function smoke() {
  const packed = tarballs();
  const cwd = fs.mkdtempSync(path.join(os.tmpdir(), 'omdp-smoke-'));
  try {
    npm(['install', '--ignore-scripts', '--no-audit', '--no-fund', ...packed], { cwd });
    fs.writeFileSync(path.join(cwd, 'talk.cjs'), BY_REQUIRE);
    fs.writeFileSync(path.join(cwd, 'talk.mjs'), BY_IMPORT);
    for (const file of ['talk.cjs', 'talk.mjs']) {
      process.stdout.write(run(process.execPath, [file], { cwd, timeout: 60_000 }));
    }
    console.log('✓ the packed package works in an empty folder');
  } finally {
    fs.rmSync(cwd, { recursive: true, force: true });
  }
}

smoke();
