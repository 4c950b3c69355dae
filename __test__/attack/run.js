'use strict';
// `npm run attack`: hostile processes against a broker with small limits, while an honest client calls an honest worker
// every 5 ms. Prints for each scenario how far the broker's memory grew, how long the honest calls took and what was
// lost of them, and what is left in the broker's tables when the attackers are gone; fails if something was lost, if the
// broker grew by more than its limits and some, or if something is left.
//
//   --scale 1      how much of it         --only a,b     these scenarios         --list         which there are
//   --except a,b   all others
//   --p99 50       fails too if one in a hundred honest calls took longer, in ms: for a machine with nothing else to do
const { spawn } = require('node:child_process');
const path = require('node:path');
const readline = require('node:readline');
const { parseArgs } = require('node:util');
const { curveKeyPair } = require('../..');
const { freshEndpoint } = require('../support/endpoints');
const { SCENARIOS } = require('./scenarios');

const MIB = 1024 * 1024;

/** So small that a scenario of some seconds gets far beyond them. */
const CONF = {
  heartbeat: 500,
  maxHeldPerPeer: 32 * MIB,
  maxHeldPerUser: 48 * MIB,
  maxHeldPerAddress: 48 * MIB,
  maxHeld: 64 * MIB,
  maxPeerBytes: 16 * MIB,
};

/** What the broker may grow by beside what it keeps: what lies ready, and what lies in the buffers of sockets. */
const GROWTH = 128 * MIB;

/** How long an attack may last, in ms. */
const LASTS = 8000;

/** How long tables may take to be empty: clients that are lost with their connection, requests that are looked for. */
const PATIENCE = 15_000;

class Process {
  #lines = [];
  #waiting = [];

  constructor(program, args, descriptors) {
    const file = path.join(__dirname, program);
    const command = [process.execPath, file, JSON.stringify(args)];
    // A shell gives up the rest of its descriptors for good.
    const limited = ['sh', '-c', `ulimit -n ${descriptors} && exec "$@"`, 'sh', ...command];
    const [name, ...rest] = descriptors === undefined ? command : limited;
    this.child = spawn(name, rest, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.exited = new Promise((resolve) => this.child.on('exit', (code, signal) => resolve(signal ?? code)));
    readline.createInterface({ input: this.child.stdout }).on('line', (line) => {
      this.#lines.push(JSON.parse(line));
      this.#look();
    });
  }

  #look() {
    this.#waiting = this.#waiting.filter(({ what, resolve }) => {
      const at = this.#lines.findIndex((line) => line.what === what);
      if (at >= 0) resolve(this.#lines.splice(at, 1)[0].value);
      return at < 0;
    });
  }

  /** Waits until it says this, and gives what it said; rejects if it ends before. */
  said(what) {
    const said = new Promise((resolve) => {
      this.#waiting.push({ what, resolve });
      this.#look();
    });
    const gone = this.exited.then((how) => {
      throw new Error(`a process ended (${how}) without "${what}"`);
    });
    gone.catch(() => {});
    return Promise.race([said, gone]);
  }

  report() {
    this.child.stdin.write('report\n');
    return this.said('report');
  }

  async end() {
    this.child.kill('SIGKILL');
    await this.exited;
  }
}

// One timer is that of the replies which are kept for clients that may return.
const leftIn = ({ tables, heldBytes }) => {
  const timers = Math.max(tables.timers - 1, 0);
  const left = Object.entries({ ...tables, timers, heldBytes }).filter(([, size]) => size > 0);
  return left.map(([name, size]) => `${name} ${size}`).join(', ');
};

async function emptied(broker) {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const { stats } = await broker.report();
    const left = leftIn(stats);
    if (left === '' || Date.now() > end) return left;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

/** Of a broker with two users, one of whom is told everywhere that it may not, or who is asked about. */
function keysFor(asks) {
  const [server, honest, attacker] = [1, 2, 3].map(() => curveKeyPair());
  const peer = ({ publicKey, secretKey }) => ({
    curveServerKey: server.publicKey,
    curvePublicKey: publicKey,
    curveSecretKey: secretKey,
  });
  const rights = asks ? {} : { serve: 'honest', call: 'honest' };
  const users = {
    honest: { keys: honest.publicKey, ...rights },
    attacker: { keys: attacker.publicKey, ...(asks ? {} : { serve: [], call: [] }) },
  };
  return {
    broker: { curveServer: true, curveSecretKey: server.secretKey, security: { users } },
    honest: peer(honest),
    attacker: peer(attacker),
  };
}

/** The same with passwords. */
function passwords() {
  const peer = (name) => ({ plainUsername: name, plainPassword: name });
  const users = {
    honest: { password: 'honest', serve: 'honest', call: 'honest' },
    attacker: { password: 'attacker', serve: [], call: [] },
  };
  return {
    broker: { plainServer: true, security: { users } },
    honest: peer('honest'),
    attacker: peer('attacker'),
  };
}

function securityOf({ users, asks }) {
  if (!users) return undefined;
  return users === 'plain' ? passwords() : keysFor(asks);
}

async function play(scenario, scale) {
  const endpoint = freshEndpoint(SCENARIOS[scenario].over ?? 'tcp');
  const processes = [];
  const run = (program, args, descriptors) => {
    const process = new Process(program, args, descriptors);
    processes.push(process);
    return process;
  };
  try {
    const { asks, broker: more, descriptors } = SCENARIOS[scenario];
    const keys = securityOf(SCENARIOS[scenario]);
    const conf = { ...CONF, ...more, ...keys?.broker };
    const broker = run('broker.js', { endpoint, conf, asks }, descriptors);
    const before = await broker.said('started');
    const bystander = run('bystander.js', { endpoint, keys: keys?.honest });
    await bystander.said('started');
    const attacker = run('attacker.js', { endpoint, scenario, scale, lasts: LASTS, keys: keys?.attacker });
    await attacker.said('done');
    const honest = await bystander.report();
    const { peak, events } = await broker.report();
    await attacker.end();
    await bystander.end();
    return {
      scenario,
      growth: peak - before,
      most: GROWTH + conf.maxHeld,
      honest,
      events,
      left: await emptied(broker),
    };
  } finally {
    await Promise.all(processes.map((process) => process.end()));
  }
}

const ms = (time) => `${time.toFixed(time < 10 ? 1 : 0)} ms`;

function row({ scenario, growth, honest, events, left }) {
  const told = Object.entries(events).map(([name, count]) => `${name} ${count}`);
  return [
    scenario.padEnd(38),
    `${(growth / MIB).toFixed(0)} MiB`.padEnd(8),
    `${honest.calls} calls, p99 ${ms(honest.p99)}, longest ${ms(honest.longest)}, ${honest.lost.length} lost`.padEnd(
      56,
    ),
    left === '' ? 'empty' : left,
    told.join(', '),
  ].join('  ');
}

function violations({ growth, most, honest, left }, p99) {
  return [
    ...(honest.p99 > p99 ? [`one in a hundred calls took ${ms(honest.p99)}`] : []),
    ...(growth > most ? [`the broker grew by ${(growth / MIB).toFixed(0)} MiB`] : []),
    ...(honest.lost.length > 0 ? [`lost: ${honest.lost.slice(0, 5).join(', ')}`] : []),
    ...(left === '' ? [] : [`left: ${left}`]),
  ];
}

async function main() {
  const { values } = parseArgs({
    options: {
      scale: { type: 'string', default: '1' },
      only: { type: 'string' },
      except: { type: 'string', default: '' },
      p99: { type: 'string', default: 'Infinity' },
      list: { type: 'boolean', default: false },
    },
  });
  const except = values.except.split(',');
  const all = Object.keys(SCENARIOS).filter((name) => !except.includes(name));
  const names = values.only?.split(',') ?? all;
  const unknown = names.find((name) => !(name in SCENARIOS));
  if (values.list || unknown !== undefined) {
    for (const [name, { about }] of Object.entries(SCENARIOS)) console.log(`${name.padEnd(20)}  ${about}`);
    process.exitCode = unknown === undefined ? 0 : 2;
    return;
  }
  for (const name of names) {
    const result = await play(name, Number(values.scale));
    console.log(row(result));
    const what = violations(result, Number(values.p99));
    if (what.length === 0) continue;
    process.exitCode = 1;
    console.log(
      `  ${what.join('\n  ')}\n  again: npm run attack -- --only "${name}" --scale ${values.scale}`,
    );
  }
}

main();
