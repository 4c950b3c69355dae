'use strict';

const { setTimeout: wait } = require('node:timers/promises');
const { QUERY_OPTIONS, QUERY_HELP, Follower, untilInterrupted, withClient } = require('./asking');
const { Usage } = require('./failure');
const { helpLine } = require('./options');
const { jsonOf, printJson } = require('./output');
const { checkCount, readSettings } = require('./settings');

const help = `Usage: zmq-omdp events [OPTION…]

Prints the events of a broker with their times, one per line, until Ctrl-C. With --all it begins with the latest 256
events. After a restart of the broker the command continues with the events since then.

${helpLine('a', 'all', '', 'begin with the latest 256 events')}${helpLine(undefined, 'count', 'N', 'the number of events after which to end')}${QUERY_HELP}`;

/** @type {import('./settings').Options} */
const OPTIONS = {
  ...QUERY_OPTIONS,
  all: { type: 'flag', short: 'a', value: false },
  count: { type: 'number' },
};

/** The interval of queries in ms. */
const INTERVAL = 200;

/** @param {string[]} args @returns {Promise<number>} */
async function run(args) {
  const { settings, positionals } = readSettings(OPTIONS, args);
  if (positionals.length > 0) throw new Usage(`events takes no argument, got "${positionals[0]}"`);
  const { count = Number.POSITIVE_INFINITY } = settings;
  checkCount(settings.count);
  const follow = async (
    /** @type {import('../client').Client} */ client,
    /** @type {AbortSignal} */ signal,
  ) => {
    /** @type {number | null} */
    let last = settings.all ? 0 : null;
    let left = count;
    /** @type {string | undefined} */
    let broker;
    const follower = new Follower(client, signal, (reason) => {
      process.stderr.write(`zmq-omdp: ${reason}; trying again\n`);
    });
    while (left > 0 && !signal.aborted) {
      const answer = await follower.ask('mmi.events', last);
      if (broker !== undefined && answer.broker !== broker) {
        // The numbers of another start of the broker begin anew.
        broker = answer.broker;
        last = 0;
        continue;
      }
      broker = answer.broker;
      if (answer.missed > 0 && last !== 0)
        process.stderr.write(`zmq-omdp: ${answer.missed} events were missed\n`);
      const now = Date.now();
      for (const entry of answer.events.slice(0, left)) print(entry, now, settings.json);
      left -= answer.events.length;
      last = answer.last;
      if (left > 0) await wait(INTERVAL, undefined, { signal });
    }
  };
  return untilInterrupted(() => withClient(settings, follow));
}

/**
 * @param {{ event: string, payload: Record<string, unknown>, since: number }} entry
 * @param {number} now when the answer came
 * @param {boolean} json
 */
function print({ event, payload, since }, now, json) {
  const time = new Date(now - since).toISOString();
  if (json) {
    printJson({ time, event, ...payload });
    return;
  }
  const facts = Object.entries(payload).map(([key, value]) => `${key}=${jsonOf(value)}`);
  process.stdout.write(`${time} ${event} ${facts.join(' ')}\n`);
}

exports.help = help;
exports.options = OPTIONS;
exports.run = run;
