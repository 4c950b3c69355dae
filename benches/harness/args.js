'use strict';
// The command line of the benchmark.
const { parseArgs } = require('node:util');

const HELP = `npm run bench -- [options]

  --only a,b        these scenarios or groups of scenarios (${'`'}--list${'`'} names them); all of them otherwise
  --systems a,b     these systems; all of them otherwise
  --observed        this package alone, beside itself with everything that observes it switched on
  --transport ipc   over Unix sockets in place of tcp, the systems that can
  --rounds N        how often each is measured, in turns (5)
  --seconds S       how long one measurement lasts, about (2)
  --count small|N   so many requests in place of a time; "small" only tries everything out
  --sizes a,b       sizes for the scenarios that scale (1,100,10000)
  --bound S         a measurement that takes longer has hung (180)
  --original PATH   measure also a zmq-omdp 0.0.92 that is installed there
  --as-built        measure the binary that is there, whatever it is; "--count small" does that too
  --json FILE       where the figures go (benches/results/latest.json)
  --chart FILE      write the chart as an SVG too
  --report FILE     measure nothing: print the tables (and draw the chart) of an earlier run
  --list            name all scenarios and systems
`;

const SMALL = 500;

/** The systems that `--observed` compares. */
const OBSERVED = ['ours', 'observed', 'subscribed', 'traced'];

class Usage extends Error {
  name = 'Usage';
}

function readArgs(argv) {
  let values;
  try {
    ({ values } = parseArgs({
      args: argv,
      options: {
        only: { type: 'string' },
        systems: { type: 'string' },
        observed: { type: 'boolean', default: false },
        transport: { type: 'string', default: 'tcp' },
        rounds: { type: 'string', default: '5' },
        seconds: { type: 'string', default: '2' },
        count: { type: 'string' },
        sizes: { type: 'string' },
        bound: { type: 'string', default: '180' },
        original: { type: 'string' },
        'as-built': { type: 'boolean', default: false },
        json: { type: 'string' },
        chart: { type: 'string' },
        report: { type: 'string' },
        list: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }));
  } catch (error) {
    throw new Usage(`${error.message}\n\n${HELP}`);
  }
  const small = values.count === 'small';
  if (!['tcp', 'ipc'].includes(values.transport))
    throw new Usage(`--transport must be tcp or ipc, got ${values.transport}`);
  return {
    ...values,
    only: names(values.only),
    systems: values.observed ? OBSERVED : names(values.systems),
    rounds: positive(values.rounds, 'rounds', true),
    seconds: positive(values.seconds, 'seconds', false),
    small,
    count: values.count === undefined || small ? undefined : positive(values.count, 'count', true),
    smallCount: SMALL,
    sizes: (names(values.sizes) ?? (small ? ['1', '10'] : ['1', '100', '10000'])).map((size) =>
      positive(size, 'sizes', true),
    ),
    bound: positive(values.bound, 'bound', false),
    asBuilt: values['as-built'] || small,
    command: command(argv),
  };
}

/** The command for readers of the results, with a placeholder for the path of 0.0.92. */
function command(argv) {
  const shown = argv.map((arg, i) => {
    if (argv[i - 1] === '--original') return 'PATH';
    return arg.startsWith('--original=') ? '--original=PATH' : arg;
  });
  return ['npm run bench', ...(shown.length > 0 ? ['--', ...shown] : [])].join(' ');
}

function names(list) {
  return list?.split(',').filter((name) => name !== '');
}

function positive(text, what, whole) {
  const number = Number(text);
  if (number > 0 && Number.isFinite(number) && (!whole || Number.isInteger(number))) return number;
  throw new Usage(`--${what} must be a positive ${whole ? 'whole number' : 'number'}, got ${text}`);
}

module.exports = { HELP, Usage, readArgs };
