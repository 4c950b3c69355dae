'use strict';
// Every option, once. From this table come the checks (options.js), the flags, variables and help of the
// command line (cli/options.js) and the tables in docs/api.md (`npm run generate`); a test compares index.d.ts with it.
// It does not need the native side: `--help` works without a binary.

/** @typedef {'broker' | 'worker' | 'client' | 'request' | 'stop'} Role `request` and `stop` are options of a call */

/**
 * @typedef {object} Option
 * @property {string} name
 * @property {readonly Role[]} of
 * @property {'number' | 'integer' | 'boolean' | 'name' | 'protocol' | 'protocols' | 'key' | 'text' | 'rules' | 'signal' |
 *   'schema' | 'schemas' |
 *   'headers' | 'words' | 'json' | 'version' | 'ignored'} type a `number` is rounded up; `key` and `text` may be null, which is as if they were missing
 * @property {number} [min] of numbers
 * @property {number} [max] of numbers; none is 2^53 - 1
 * @property {string} [off] of numbers: what -1 stands for, where it may be given
 * @property {string} [auto] of numbers: what `'auto'` stands for, where it may be given; native code knows it as -1
 * @property {'ms' | 'µs' | 'bytes'} [unit]
 * @property {unknown} [value] the default
 * @property {string} [default] the words for a default that is no value
 * @property {string} help one line, plain text
 * @property {string} [more] what docs/api.md adds, in Markdown
 * @property {'security'} [group] has a table of its own in docs/api.md
 * @property {Flag} [flag] its flag on the command line is its name in kebab case
 */

/**
 * - `none`: it has no flag, no variable and no key in a config file.
 * - `secret`: no flag, since the arguments of a process can be seen; beside the variable there is a flag for a file.
 * - `file`: only in a config file.
 * - `octal`: on the command line and in a file it is written as `chmod` takes it, `660`.
 * @typedef {{ short?: string, metavar?: string, octal?: boolean, only?: 'none' | 'secret' | 'file' }} Flag
 */

/** The longest delay that a timer of Node or of the native side can hold, about 24.8 days. */
const MAX_MS = 2147483647;

/** What peers may speak; the first is what a worker or client speaks unless told otherwise. */
const PROTOCOLS = ['omdp', 'mdp/0.1', 'mdp/0.2', 'mdp/0.2-majortomo', 'pigato'];

const WHAT_MDP_LACKS = '[mdp.md](mdp.md#worker-and-client-at-a-standard-broker) lists what MDP lacks';

/** @type {readonly Role[]} */
const PEERS = ['broker', 'worker', 'client'];

/** @type {readonly Option[]} */
const OPTIONS = [
  {
    name: 'heartbeat',
    of: PEERS,
    type: 'number',
    min: 1,
    max: MAX_MS,
    unit: 'ms',
    value: 2500,
    help: 'the interval of heartbeats to the other side',
    flag: { short: 'i' },
  },
  {
    name: 'liveness',
    of: PEERS,
    type: 'integer',
    min: 1,
    max: 1000,
    value: 3,
    help: 'the number of silent intervals after which the other side counts as lost',
    more: 'The interval is the longer `heartbeat` of the two sides, so the two ends may have different settings',
    flag: { short: 'l' },
  },
  {
    name: 'name',
    of: PEERS,
    type: 'name',
    max: 255,
    default: 'random',
    help: 'the identity on the wire',
    more: '1 to 255 bytes of UTF-8, not beginning with NUL. Unique among the peers of a broker',
    flag: { metavar: 'NAME' },
  },
  {
    name: 'debug',
    of: PEERS,
    type: 'ignored',
    help: 'accepted and ignored, because code for 0.0.92 sets it',
    flag: { only: 'none' },
  },
  {
    name: 'maxMessageSize',
    of: PEERS,
    type: 'integer',
    // What a batch of short messages may have.
    min: 65536,
    unit: 'bytes',
    // Half of V8's longest string.
    value: 256 * 1024 * 1024,
    help: 'the largest body that is sent or accepted',
    more: 'Giving a larger one throws a `RangeError`. See [Sizes](broker.md#sizes)',
  },
  {
    name: 'maxConnections',
    of: ['broker'],
    type: 'integer',
    min: 0,
    off: 'no limit',
    value: 16384,
    help: 'how many connections there may be',
    more: 'See [Connections](broker.md#connections)',
  },
  {
    name: 'maxConnectionsPerAddress',
    of: ['broker'],
    type: 'integer',
    min: 0,
    off: 'no limit',
    value: 8192,
    help: 'how many connections one address may have',
  },
  {
    name: 'maxConnectionsPerUser',
    of: ['broker'],
    type: 'integer',
    min: 0,
    off: 'no limit',
    value: 8192,
    help: 'how many connections one user may have',
  },
  {
    name: 'silenceInterval',
    of: ['broker'],
    type: 'number',
    min: 1,
    max: MAX_MS,
    off: 'no limit',
    unit: 'ms',
    value: 60000,
    help: 'how long a connection may say nothing after its handshake',
  },
  {
    name: 'ipcMode',
    of: ['broker'],
    type: 'integer',
    min: 0,
    max: 0o777,
    default: "the system's",
    help: 'the mode of the socket file of an ipc endpoint',
    more: 'As in `fs.chmod()`, for instance `0o660`. See [Endpoints](broker.md#endpoints)',
    flag: { metavar: 'MODE', octal: true },
  },
  {
    name: 'maxPeerBytes',
    of: ['broker'],
    type: 'integer',
    // A smaller limit would not hold what is under way to a peer that keeps up.
    min: 65536,
    unit: 'bytes',
    value: 64 * 1024 * 1024,
    help: 'how many bytes may wait for a peer that does not read them',
    more: 'Beyond that the peer is [disconnected](broker.md#slow-peers)',
  },
  {
    name: 'dialects',
    of: ['broker'],
    type: 'protocols',
    value: PROTOCOLS,
    default: 'all',
    help: `the dialects that the broker accepts: ${PROTOCOLS.join(', ')}`,
    more: 'An array. Messages of other dialects are dropped, each as a `badMessage`. See [mdp.md](mdp.md#standard-peers-at-the-broker) and [pigato.md](pigato.md#peers-of-pigato-at-the-broker)',
  },
  {
    name: 'expiry',
    of: ['broker'],
    type: 'number',
    min: 1,
    max: MAX_MS,
    off: 'without end',
    unit: 'ms',
    value: 60000,
    help: 'how long a request of an MDP client waits for a worker',
    more: 'A request that a worker has does not expire',
  },
  {
    name: 'reconnectGrace',
    of: ['broker'],
    type: 'number',
    min: 0,
    max: MAX_MS,
    unit: 'ms',
    value: 1000,
    help: 'how long a peer whose tcp connection ended may take to come back before what it had is given up',
    more: 'Over ipc and inproc it is 100 ms at most',
  },
  {
    name: 'busyTimeout',
    of: ['broker'],
    type: 'number',
    min: 1,
    max: MAX_MS,
    unit: 'ms',
    value: 900000,
    help: 'how long an MDP worker that has a request may be silent',
  },
  {
    name: 'spin',
    of: ['broker'],
    type: 'integer',
    min: 0,
    // Polling longer than this has no use.
    max: 1000000,
    unit: 'µs',
    auto: 'what the traffic suggests',
    value: 'auto',
    help: "how long the broker's thread polls for the next message before it sleeps",
    more: 'Effective only when traffic is low: single requests are faster, at the price of processor time. See [broker.md](broker.md#spin)',
  },
  {
    name: 'maxQueue',
    of: ['broker'],
    type: 'integer',
    min: 0,
    off: 'no limit',
    value: 262144,
    help: 'how many requests may wait for one service',
    more: 'See [broker.md](broker.md#limits)',
  },
  {
    name: 'maxQueueBytes',
    of: ['broker'],
    type: 'integer',
    min: 0,
    off: 'no limit',
    unit: 'bytes',
    value: 268435456,
    help: 'how many bytes may wait for one service',
    more: 'Data and options count',
  },
  {
    name: 'maxTotalQueue',
    of: ['broker'],
    type: 'integer',
    min: 0,
    off: 'no limit',
    value: 1048576,
    help: 'how many requests may wait in total',
  },
  {
    name: 'maxTotalQueueBytes',
    of: ['broker'],
    type: 'integer',
    min: 0,
    off: 'no limit',
    unit: 'bytes',
    value: 1073741824,
    help: 'how many bytes may wait in total',
  },
  {
    name: 'logRequests',
    of: ['broker'],
    type: 'boolean',
    value: false,
    help: 'tell of each request that ends, by the event requestEnded',
    more: 'Costs some microseconds of its thread for each request. On the command line `--debug` sets it',
  },
  {
    name: 'maxMeasuredServices',
    of: ['broker'],
    type: 'integer',
    min: 0,
    max: 1000000,
    value: 1000,
    help: 'how many services have numbers of their own',
    more: 'Those of the others are added up. See [monitoring.md](monitoring.md#metrics)',
  },
  {
    name: 'maxHeld',
    of: ['broker'],
    type: 'integer',
    min: 0,
    off: 'no limit',
    unit: 'bytes',
    value: 512 * 1024 * 1024,
    help: 'how much the broker may keep for its peers in all',
    more: 'See [broker.md](broker.md#what-a-peer-may-cost)',
  },
  {
    name: 'maxHeldPerUser',
    of: ['broker'],
    type: 'integer',
    min: 0,
    off: 'no limit',
    unit: 'bytes',
    value: 384 * 1024 * 1024,
    help: 'how much the broker may keep for all peers of one user',
  },
  {
    name: 'maxHeldPerAddress',
    of: ['broker'],
    type: 'integer',
    min: 0,
    off: 'no limit',
    unit: 'bytes',
    value: 448 * 1024 * 1024,
    help: 'how much the broker may keep for all peers of one address',
    more: 'Peers over ipc and inproc have none',
  },
  {
    name: 'maxHeldPerPeer',
    of: ['broker'],
    type: 'integer',
    min: 0,
    off: 'no limit',
    unit: 'bytes',
    value: 256 * 1024 * 1024,
    help: 'how much the broker may keep for one peer',
  },
  {
    name: 'handshakeInterval',
    of: ['broker'],
    type: 'number',
    min: 1,
    max: MAX_MS,
    unit: 'ms',
    value: 10000,
    help: 'how long the handshake of a connection may take',
    more: 'See [security.md](security.md#limits)',
  },
  {
    name: 'reconnect',
    of: ['worker', 'client'],
    type: 'number',
    min: 1,
    max: MAX_MS,
    unit: 'ms',
    value: 100,
    help: 'how long to wait after the loss of the broker before connecting again',
    more: 'Each pause is longer or shorter by up to a quarter, so that not all peers of a broker come back at once',
  },
  {
    name: 'reconnectMax',
    of: ['worker', 'client'],
    type: 'number',
    min: 1,
    max: MAX_MS,
    unit: 'ms',
    value: 30000,
    help: 'the longest pause: each attempt in a row that leads to no broker doubles it',
  },
  {
    name: 'version',
    of: ['worker'],
    type: 'version',
    help: "the version of the worker's service, as in orders@2.1.0",
    more: 'The worker registers as `service@version`. See [services.md](services.md#versions)',
    flag: { metavar: 'VERSION', only: 'none' },
  },
  {
    name: 'pattern',
    of: ['worker'],
    type: 'boolean',
    value: false,
    help: 'serve all names that begin as the service does, whose last character is *',
    more: 'See [services.md](services.md#patterns)',
  },
  {
    name: 'concurrency',
    of: ['worker'],
    type: 'integer',
    min: 1,
    max: MAX_MS,
    off: 'no limit',
    value: 1,
    help: 'how many requests may run at a time',
    more: 'Over all brokers together',
    flag: { short: 'n' },
  },
  {
    name: 'prefetch',
    of: ['worker'],
    type: 'integer',
    min: 0,
    // A larger number gains nothing, and more is lost with a worker that dies.
    max: 65535,
    value: 1024,
    help: 'how many further requests the broker may hand over in advance',
    more: '0 disables it. See [worker.md](worker.md#prefetch)',
  },
  {
    name: 'description',
    of: ['worker'],
    type: 'words',
    max: 512,
    default: 'none',
    help: 'what the worker is or does, for those who ask the broker',
    more: '1 to 512 bytes. See [services.md](services.md#who-is-there)',
    flag: { only: 'none' },
  },
  {
    name: 'metadata',
    of: ['worker'],
    type: 'json',
    max: 4096,
    default: 'none',
    help: 'an object that is told to those who ask the broker',
    more: 'At most 4096 bytes as JSON',
    flag: { only: 'none' },
  },
  {
    name: 'maxBlocked',
    of: ['worker'],
    type: 'number',
    min: 1,
    max: MAX_MS,
    off: 'no bound',
    unit: 'ms',
    value: -1,
    help: 'how long the event loop may be blocked before the worker counts as lost',
    more: 'See [worker.md](worker.md#busy-javascript)',
  },
  {
    name: 'maxRunning',
    of: ['worker'],
    type: 'number',
    min: 1,
    max: MAX_MS,
    off: 'no bound',
    unit: 'ms',
    value: -1,
    help: 'how long a handler may take for a request before the request ends and its place is free',
    more: 'See [worker.md](worker.md#time-limit)',
  },
  {
    name: 'timeout',
    of: ['client'],
    type: 'number',
    min: 1,
    max: MAX_MS,
    off: 'none',
    unit: 'ms',
    value: 60000,
    help: 'how long a request waits without any sign of its reply',
    more: 'For requests without a timeout of their own',
    flag: { short: 't' },
  },
  {
    name: 'protocol',
    of: ['worker', 'client'],
    type: 'protocol',
    value: PROTOCOLS[0],
    help: `the dialect of the broker: ${PROTOCOLS.join(', ')}`,
    more: `[pigato](pigato.md) is that of PIGATO's broker. Under MDP \`concurrency\` must be 1. ${WHAT_MDP_LACKS}`,
    flag: { short: 'p' },
  },
  {
    name: 'schemas',
    of: ['client'],
    type: 'schemas',
    default: 'none',
    help: 'the schemas of services, by their names',
    more: 'An object with `request`, `partial` and `reply` for each service. See [Schemas](cookbook.md#schemas)',
    flag: { only: 'none' },
  },
  {
    name: 'schema',
    of: ['worker'],
    type: 'schema',
    default: 'none',
    help: 'the schemas of the service',
    more: 'An object with `request`, `partial` and `reply`. See [Schemas](cookbook.md#schemas)',
    flag: { only: 'none' },
  },
  {
    name: 'errorValues',
    of: ['client'],
    type: 'boolean',
    value: false,
    help: 'whether the error event of every stream carries bare values and codes, as in 0.0.92',
    more: 'Without it only streams of requests with callbacks do; the others carry an [`OmdpError`](#omdperror) or a [`RemoteError`](#remoteerror)',
    flag: { only: 'none' },
  },
  {
    name: 'timeout',
    of: ['request'],
    type: 'number',
    min: 1,
    max: MAX_MS,
    off: 'none',
    unit: 'ms',
    default: "the client's",
    help: 'how long to wait without any sign of the reply',
    more: 'Each partial restarts it. 0 is the default',
    flag: { only: 'none' },
  },
  {
    name: 'deadline',
    of: ['request'],
    type: 'number',
    min: 0,
    max: MAX_MS,
    unit: 'ms',
    default: 'none',
    help: 'how long the request may take in all',
    more: "Infinity is none. A handler's `reply` may be given in its place. See [client.md](client.md#timeouts)",
    flag: { only: 'none' },
  },
  {
    name: 'signal',
    of: ['request'],
    type: 'signal',
    help: 'an AbortSignal; when it aborts, the request ends with C_ABORTED',
    flag: { only: 'none' },
  },
  {
    name: 'headers',
    of: ['request'],
    type: 'headers',
    help: 'a plain object of strings, finite numbers and booleans, for the handler',
    more: 'It is `opts.headers` there',
    flag: { only: 'none' },
  },
  {
    name: 'retry',
    of: ['request'],
    type: 'integer',
    min: 0,
    // Enough for a request that kills its workers.
    max: 255,
    value: 0,
    help: 'how often the request may start again after its worker was lost',
    more: 'See [client.md](client.md#retries)',
  },
  {
    name: 'failFast',
    of: ['request'],
    type: 'boolean',
    value: false,
    help: 'end with W_NONE when no worker offers the service, instead of waiting for one',
  },
  {
    name: 'timeout',
    of: ['stop'],
    type: 'number',
    min: 0,
    max: MAX_MS,
    off: 'without end',
    unit: 'ms',
    value: -1,
    help: 'how long to wait for what has to end first',
    more: 'That is the running handlers of a worker, what runs at the workers of a broker, and the drain of a client. For a broker the default is 0',
    flag: { only: 'none' },
  },
  {
    name: 'drain',
    of: ['stop'],
    type: 'boolean',
    value: false,
    help: 'whether a client waits for its outstanding requests',
    more: 'It accepts no new ones meanwhile',
    flag: { only: 'none' },
  },
  {
    name: 'discard',
    of: ['stop'],
    type: 'boolean',
    value: false,
    help: 'whether a broker ends every request with B_LOST instead of leaving it to the next broker',
    more: 'A worker and a client ignore it',
    flag: { only: 'none' },
  },
  {
    name: 'curveServer',
    of: ['broker'],
    type: 'boolean',
    group: 'security',
    help: 'use CURVE',
    flag: { only: 'none' },
  },
  {
    name: 'plainServer',
    of: ['broker'],
    type: 'boolean',
    group: 'security',
    help: 'use PLAIN: user names and passwords, which are in the rules',
  },
  {
    name: 'security',
    of: ['broker'],
    type: 'rules',
    group: 'security',
    help: 'the rules: which peers are admitted, and what they may serve and call',
    more: 'See [security.md](security.md#authorization)',
    flag: { only: 'file' },
  },
  {
    name: 'curveServerKey',
    of: ['worker', 'client'],
    type: 'key',
    group: 'security',
    help: "CURVE: the broker's public key",
    flag: { metavar: 'KEY' },
  },
  {
    name: 'curveSecretKey',
    of: PEERS,
    type: 'key',
    group: 'security',
    help: "CURVE: the peer's own secret key",
    flag: { only: 'secret' },
  },
  {
    name: 'curvePublicKey',
    of: PEERS,
    type: 'key',
    group: 'security',
    help: "CURVE: the peer's own public key",
    more: 'Optional',
    flag: { only: 'none' },
  },
  {
    name: 'plainUsername',
    of: ['worker', 'client'],
    type: 'text',
    group: 'security',
    help: 'PLAIN: the name of the user',
    flag: { metavar: 'NAME' },
  },
  {
    name: 'plainPassword',
    of: ['worker', 'client'],
    type: 'text',
    group: 'security',
    help: 'PLAIN: the password',
    flag: { only: 'secret' },
  },
];

/** @param {Role} role @returns {readonly Option[]} */
function optionsOf(role) {
  return OPTIONS.filter(({ of }) => of.includes(role));
}

/**
 * The range of a number, in the words of messages and documents.
 * @param {Option} option
 * @returns {string}
 */
function rangeOf({ min = 0, max, off, auto }) {
  const range = max === undefined ? `${min} and up` : `${min} to ${max}`;
  if (auto !== undefined) return `${range}, or 'auto' for ${auto}`;
  return off === undefined ? range : `${range}, or -1 for ${off}`;
}

exports.MAX_MS = MAX_MS;
exports.OPTIONS = OPTIONS;
exports.PROTOCOLS = PROTOCOLS;
exports.optionsOf = optionsOf;
exports.rangeOf = rangeOf;
