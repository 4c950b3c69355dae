'use strict';

const { Failure, Interrupted, Usage } = require('./failure');
const { fitted } = require('./help');
const { didYouMean } = require('../suggestions');
const { printable } = require('./output');
const { onWriteFailure } = require('./reader');

/**
 * A command.
 * @typedef {{ help: string, options?: import('./settings').Options, run: (args: string[], commands: import('./completion').Commands) => Promise<number> }} Command
 */

/** Loaded on demand: `--help` must work without the native binary. @type {Record<string, () => Command>} */
const COMMANDS = {
  bench: () => require('./bench'),
  broker: () => require('./broker'),
  completion: () => require('./completion'),
  events: () => require('./events'),
  info: () => require('./info'),
  keys: () => require('./keys'),
  ls: () => require('./ls'),
  ping: () => require('./ping'),
  request: () => require('./request'),
  stats: () => require('./stats'),
  top: () => require('./top'),
  worker: () => require('./worker'),
};

const HELP = `Usage: zmq-omdp COMMAND [OPTION…]

Commands:
  broker                       run a broker
  request SERVICE [DATA|-]     make a request and print the reply
  worker SERVICE -- COMMAND…   serve requests by running a command
  keys [FILE]                  create a CURVE key pair

  ls                           list the services of a broker
  info SERVICE [WORKER]        print the state of a service, or of one of its workers
  stats [SERVICE]              print counts and times
  ping SERVICE                 check whether a service has a worker
  top                          show a live table of the services
  events                       print the events of a broker
  bench SERVICE                measure requests per second
  completion bash|zsh|fish     print a script that completes commands and options

  zmq-omdp COMMAND --help      print the options of a command
  zmq-omdp --version           print the version
`;

/**
 * @param {string[]} args
 * @returns {Promise<void>}
 */
async function main(args) {
  // A pipe may lose its reader. Commands that only write then end; a broker continues without a log.
  process.stderr.on('error', () => {});
  let isWritten = true;
  // The error may come before or after the end of the command.
  onWriteFailure((message) => {
    isWritten = false;
    process.exitCode = 1;
    process.stderr.write(`zmq-omdp: ${message}\n`);
  });
  try {
    const code = await dispatch(args);
    process.exitCode = isWritten ? code : 1;
  } catch (error) {
    if (error instanceof Interrupted) {
      process.exitCode = isWritten ? error.exitCode : 1;
      return;
    }
    process.exitCode = error instanceof Usage ? 2 : 1;
    process.stderr.write(`zmq-omdp: ${lineOf(error)}\n`);
  }
}

/** @param {string[]} args @returns {Promise<number>} */
async function dispatch([name, ...args]) {
  if (name === '--version') {
    process.stdout.write(`${require('../../package.json').version}\n`);
    return 0;
  }
  if (name === '--help' || name === '-h') {
    process.stdout.write(HELP);
    return 0;
  }
  if (name === undefined) throw new Usage('no command given; see zmq-omdp --help');
  if (!Object.hasOwn(COMMANDS, name)) {
    const meant =
      didYouMean(name, [...Object.keys(COMMANDS), '--help', '--version']) || '; see zmq-omdp --help';
    throw new Usage(`unknown command "${name}"${meant}`);
  }
  const command = COMMANDS[name]();
  const end = args.indexOf('--');
  const own = end === -1 ? args : args.slice(0, end);
  if (own.includes('--help') || own.includes('-h')) {
    process.stdout.write(fitted(command.help, process.stdout.columns));
    return 0;
  }
  return command.run(args, COMMANDS);
}

/** One line, or with ZMQ_OMDP_DEBUG the stack of an unexpected error. @param {unknown} error @returns {string} */
function lineOf(error) {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof Failure || process.env.ZMQ_OMDP_DEBUG === undefined) {
    // An error value of a worker may be in it. Further lines of other errors are details, such as where a file is.
    const { message } = error;
    return printable(error instanceof Failure ? message : message.split('\n')[0]);
  }
  return (error.stack ?? error.message).split('\n').map(printable).join('\n');
}

exports.main = main;
