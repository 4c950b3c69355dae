'use strict';

const { DISCOVER, OPTIONS, PROTOCOLS, VERSIONS } = require('../option-table');
const { Usage } = require('./failure');
const { kebab } = require('./names');
const { readSettings } = require('./settings');
const { SHELLS } = require('./shells');

/** @import { Described } from './shells' */
/** @import { Options } from './settings' */

/** @typedef {Record<string, () => { options?: Options }>} Commands */

const help = `Usage: zmq-omdp completion bash|zsh|fish

Prints a script that completes commands, options and their values:

  bash   zmq-omdp completion bash > /etc/bash_completion.d/zmq-omdp
  zsh    zmq-omdp completion zsh > "\${fpath[1]}/_zmq-omdp"
  fish   zmq-omdp completion fish > ~/.config/fish/completions/zmq-omdp.fish
`;

/** The values of options that have few. @param {string} name @returns {readonly string[]} */
function wordsOf(name) {
  if (name === 'logFormat') return ['plain', 'json'];
  switch (OPTIONS.find((option) => option.name === name)?.type) {
    case 'protocol':
    case 'protocols':
      return PROTOCOLS;
    case 'versions':
      return VERSIONS;
    case 'discover':
      return DISCOVER;
    case 'balance':
      return require('../load').balances();
    default:
      return [];
  }
}

/** @param {Commands} commands @returns {Described} */
function describe(commands) {
  const described = Object.entries(commands).map(([name, load]) => {
    const options = Object.entries(load().options ?? {});
    const onLine = options.filter(([, { from }]) => from === undefined || from.includes('line'));
    const flags = onLine.map(([option, { short, type }]) => ({
      long: kebab(option),
      short,
      takesValue: type !== 'flag',
      words: wordsOf(option),
      isFile: option === 'config' || option.endsWith('File'),
    }));
    const helpFlag = { long: 'help', short: 'h', takesValue: false, words: [], isFile: false };
    // The arguments of the other commands are names that only a broker knows.
    const words = name === 'completion' ? Object.keys(SHELLS) : [];
    return [name, { flags: [...flags, helpFlag], words, takesFile: name === 'keys' }];
  });
  return Object.fromEntries(described);
}

/** @param {string[]} args @param {Commands} commands @returns {Promise<number>} */
async function run(args, commands) {
  const [shell, extra] = readSettings({}, args).positionals;
  if (shell === undefined || extra !== undefined || !Object.hasOwn(SHELLS, shell))
    throw new Usage('completion takes one of bash, zsh, fish');
  process.stdout.write(SHELLS[shell](describe(commands)));
  return 0;
}

exports.help = help;
exports.options = {};
exports.run = run;
