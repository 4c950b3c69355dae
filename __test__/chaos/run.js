'use strict';
// `npm run chaos`: real processes over real sockets, while processes are killed and stopped, and connections cut,
// stalled and swallowed, by chance from a seed. Whatever happens, each request ends once, none is started twice, and
// none waits for ever; where everybody lives, each ends with its reply. Prints what became of the requests, and of those that ended with `B_LOST` how many had not
// started, had started, and were ended by their handlers; fails if that does not hold.
//
//   --seconds 10   how long in all        --seed 42           the same faults again (their timing is the machine's)
//   --only a,b     these scenarios        --list              which there are
const { parseArgs } = require('node:util');
const { Cast } = require('./cast');
const { generator } = require('../support/nonsense');
const { SCENARIOS, pause } = require('./scenarios');

/** Three wait without end: only what has happened may end them. */
const REQUESTS = [{ timeout: -1 }, { timeout: 3000 }, { timeout: -1 }, { timeout: 700 }, { timeout: -1 }];

/** How long after the last fault a request may go on: a handshake that was swallowed (10 s), and a slow machine. */
const PATIENCE = 20_000;

const WORKERS = 4;
const CLIENTS = 3;

/** @param {string} name @param {number} seed @param {number} seconds */
async function play(name, seed, seconds) {
  const { act, data = 2000, retry = 0, timeouts = true, lossless = false, ...rest } = SCENARIOS[name];
  // Hearts that beat fast, for a death to be noticed while the scenario lasts.
  const { heartbeat = 250, liveness = 4, brokers = 1, services = 1, pace = 3, uploads = false } = rest;
  const requests = REQUESTS.map(({ timeout }) => ({ timeout: timeouts ? timeout : -1, retry }));
  const below = generator(seed);
  const cast = new Cast({ heartbeat, liveness }, brokers, services);
  try {
    await cast.startBrokers();
    const peers = [];
    for (let n = 0; n < WORKERS; n += 1) {
      const conf = { concurrency: [1, 1, 4, -1][n % 4] };
      peers.push(cast.start(`worker${n}`, { role: 'worker', endpoints: await cast.relayed('worker'), conf }));
    }
    for (let n = 0; n < CLIENTS; n += 1) {
      const endpoints = await cast.relayed('client');
      const args = { role: 'client', endpoints, pace: pace + n, data, requests, uploads };
      peers.push(cast.start(`client${n}`, args));
    }
    await Promise.all(peers);
    const end = Date.now() + seconds * 1000;
    while (Date.now() < end) {
      await act(cast, below);
      await pause(50 + below(200));
    }
    const lost = await cast.settle(PATIENCE);
    const open = [...cast.book.open.keys()];
    const apart = await cast.together(PATIENCE);
    return {
      name,
      retry,
      lossless,
      book: cast.book,
      open,
      lost,
      apart,
      twice: cast.twice(),
      fates: cast.fates(),
      crashes: [...cast.crashes],
    };
  } finally {
    await cast.close();
  }
}

const HEAD = [
  'scenario',
  'requests',
  'replies',
  'errors',
  'B_LOST',
  'killed',
  'lost',
  'run twice',
  'wrong',
  'longest wait',
];

function row({ name, book, lost, twice, fates, crashes }) {
  const errors = [...book.errors].sort().map(([code, count]) => `${code} ${count}`);
  const wrong = book.wrong.length + crashes.length;
  const longest = `${book.longest} ms`;
  return [
    name,
    book.requests,
    book.replies,
    errors.join(', ') || '-',
    fates.join('/'),
    book.killed,
    lost,
    twice.length,
    wrong,
    longest,
  ];
}

function table(rows) {
  const text = rows.map((cells) => cells.map(String));
  const widths = HEAD.map((_, column) => Math.max(...text.map((cells) => cells[column].length)));
  return text
    .map((cells) =>
      cells
        .map((cell, column) => cell.padEnd(widths[column]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** What does not hold, in words. */
function violations({ retry, lossless, book, open, lost, apart, twice, crashes }) {
  const tooOften = twice.filter(([, workers]) => workers.length > 1 + retry);
  return [
    ...(lost > 0 ? [`${lost} never ended: ${open.slice(0, 5).join(', ')}`] : []),
    ...tooOften.slice(0, 5).map(([id, workers]) => `${id} was started by ${workers}`),
    ...(lossless ? [...book.errors].map(([code, count]) => `${count} ended with ${code}`) : []),
    ...book.wrong.slice(0, 5),
    ...crashes.slice(0, 5),
    ...(apart > 0 ? [`${apart} workers have not exactly one connection to a broker`] : []),
    ...(book.replies === 0 ? ['nothing was answered at all'] : []),
  ];
}

async function main() {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '10' },
      seed: { type: 'string', default: String(Date.now() % 100_000) },
      only: { type: 'string' },
      list: { type: 'boolean', default: false },
    },
  });
  const names = values.only?.split(',') ?? Object.keys(SCENARIOS);
  const unknown = names.find((name) => !(name in SCENARIOS));
  if (values.list || unknown !== undefined) {
    console.log(
      `${unknown === undefined ? '' : `no such scenario: ${unknown}\n`}${Object.keys(SCENARIOS).join('\n')}`,
    );
    process.exitCode = unknown === undefined ? 0 : 2;
    return;
  }
  const seed = Number(values.seed);
  const each = Number(values.seconds) / names.length;
  console.log(`seed ${seed}, ${names.length} scenarios of ${each.toFixed(1)} s`);
  const results = [];
  for (const name of names) results.push(await play(name, seed, each));
  console.log(table([HEAD, ...results.map(row)]));
  for (const result of results) {
    const what = violations(result);
    if (what.length === 0) continue;
    process.exitCode = 1;
    console.log(`\n${result.name}:\n  ${what.join('\n  ')}`);
    console.log(`  again: npm run chaos -- --only ${result.name} --seconds ${each} --seed ${seed}`);
  }
}

main();
