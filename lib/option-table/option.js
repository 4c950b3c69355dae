'use strict';
// The form of an entry in the table of options, and values that several entries share.

/**
 * Whose options or members they are: those of a peer; of a call (the middle ones, and `monitor`); of an object that is an
 * option, or a part of one.
 * @typedef {'broker' | 'worker' | 'client' | 'request' | 'reply' | 'stop' | 'callAll' | 'watchServices' | 'monitor' |
 *   'retry' | 'rate' | 'policy' | 'service' | 'rules' | 'user'} Role
 */

/**
 * @typedef {object} Option
 * @property {string} name
 * @property {readonly Role[]} of
 * @property {'number' | 'integer' | 'fraction' | 'boolean' | 'name' | 'protocol' | 'protocols' | 'key' | 'text' | 'rules' |
 *   'signal' | 'schema' | 'schemas' | 'headers' | 'words' | 'json' | 'discover' | 'function' | 'version' | 'versions' |
 *   'balance' | 'rate' | 'policies' | 'deadline' | 'retry' | 'causes' | 'user' | 'ignored' | 'own'} type a `number` is
 *   rounded up; `key` and `text` may be null, which counts as missing; the check of `own` is where it is used
 * @property {number} [min] of numbers
 * @property {number} [max] of numbers; 2^53 - 1 if missing
 * @property {string} [off] of numbers: the meaning of -1, if it is permitted
 * @property {string} [auto] of numbers: the meaning of `'auto'`, if it is permitted; -1 in native code
 * @property {'ms' | 'µs' | 'bytes'} [unit]
 * @property {unknown} [value] the default
 * @property {string} [default] the description of a default that is not a fixed value
 * @property {string} help one line, plain text
 * @property {string} [more] further text for docs/api.md, in Markdown
 * @property {boolean} [route] of a request: whether the broker uses it to choose the worker
 * @property {'security'} [group] a separate table in docs/api.md
 * @property {Flag} [flag] settings of its command-line flag, whose name is the option's in kebab case
 */

/**
 * - `none`: no flag, variable or key in a config file.
 * - `secret`: no flag, because the arguments of a process are visible; a variable, and a flag for a file.
 * - `file`: only in a config file.
 * - `octal`: written in the notation of `chmod` on the command line and in a file, such as `660`.
 * @typedef {{ short?: string, metavar?: string, octal?: boolean, only?: 'none' | 'secret' | 'file' }} Flag
 */

/** The longest delay of a timer of Node.js or of the native side, about 24.8 days. */
const MAX_MS = 2147483647;

/**
 * A time in ms.
 * @param {number} min
 * @param {string} [off] the meaning of -1, if it is permitted
 * @returns {Pick<Option, 'type' | 'min' | 'max' | 'off' | 'unit'>}
 */
const ms = (min, off) => ({ type: 'number', min, max: MAX_MS, unit: 'ms', ...(off && { off }) });

/** The dialects; the first is the default of workers and clients. */
const PROTOCOLS = ['omdp', 'mdp/0.1', 'mdp/0.2', 'mdp/0.2-majortomo', 'pigato'];

/** The failures after which a policy repeats a request. */
const RETRY_CAUSES = ['lost', 'rejected', 'error', 'timeout'];

/** The words of options that choose between two. */
const [DISCOVER, VERSIONS] = [
  ['one', 'all'],
  ['highest', 'all'],
];

const WHAT_MDP_LACKS = '[mdp.md](mdp.md#worker-and-client-at-a-standard-broker) lists what MDP lacks';

/** @type {readonly Role[]} */
const PEERS = ['broker', 'worker', 'client'];

/**
 * The range of a number, as messages and documents describe it.
 * @param {Option} option
 * @returns {string}
 */
function rangeOf({ min = 0, max, off, auto }) {
  const range = max === undefined ? `${min} and up` : `${min} to ${max}`;
  if (auto !== undefined) return `${range}, or 'auto' for ${auto}`;
  return off === undefined ? range : `${range}, or -1 for ${off}`;
}

exports.DISCOVER = DISCOVER;
exports.MAX_MS = MAX_MS;
exports.PEERS = PEERS;
exports.PROTOCOLS = PROTOCOLS;
exports.RETRY_CAUSES = RETRY_CAUSES;
exports.VERSIONS = VERSIONS;
exports.WHAT_MDP_LACKS = WHAT_MDP_LACKS;
exports.ms = ms;
exports.rangeOf = rangeOf;
