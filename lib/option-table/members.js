'use strict';

const { MAX_MS, ms } = require('./option');

/** @import { Option, Role } from './option' */

/** Options of calls that the command line lacks, and members of objects that are options. @type {Partial<Record<Role, Omit<Option, 'of'>[]>>} */
const OF = {
  callAll: [
    {
      name: 'timeout',
      ...ms(1, 'no limit'),
      value: 60000,
      help: 'the longest time for all answers',
      more: 'After it the loop ends with the answers that have arrived',
    },
    {
      name: 'stall',
      ...ms(1, 'no limit'),
      value: -1,
      help: 'the longest time from one answer to the next',
    },
    {
      name: 'max',
      type: 'integer',
      min: 1,
      default: 'none',
      help: 'the number of answers after which the loop ends',
    },
  ],
  watchServices: [
    {
      name: 'interval',
      ...ms(10),
      value: 1000,
      help: 'the interval of queries to the broker',
    },
  ],
  retry: [
    {
      name: 'attempts',
      type: 'integer',
      min: 1,
      max: 255,
      value: 3,
      help: 'the largest number of attempts, including the first',
    },
    {
      name: 'on',
      type: 'causes',
      value: ['lost'],
      default: "`['lost']`",
      help: 'the failures after which the request is made again',
      more: "`lost` is W_LOST and B_LOST, `rejected` is W_REJECTED, `error` is the handler's error value, and `timeout` is C_TIMEOUT and W_TIMEOUT",
    },
    {
      name: 'delay',
      ...ms(0),
      value: 100,
      help: 'the pause before the second attempt',
    },
    {
      name: 'factor',
      type: 'fraction',
      min: 1,
      max: 1000,
      value: 2,
      help: 'the ratio of each further pause to the one before',
    },
    {
      name: 'maxDelay',
      ...ms(0),
      value: 10000,
      help: 'the longest pause',
    },
    {
      name: 'jitter',
      type: 'fraction',
      min: 0,
      max: 1,
      value: 0.2,
      help: 'the largest random deviation of a pause, as a fraction of it',
    },
  ],
  rate: [
    { name: 'max', type: 'integer', min: 1, max: 1000000, help: 'the maximum number of starts' },
    { name: 'interval', ...ms(1), help: 'the interval' },
  ],
  policy: [
    {
      name: 'balance',
      type: 'balance',
      help: 'the policy by which the service chooses among its workers',
    },
    { name: 'rate', type: 'rate', help: 'the maximum number of starts in an interval' },
  ],
  service: [
    { name: 'handler', type: 'function', help: 'the handler of one of several services' },
    {
      name: 'concurrency',
      type: 'integer',
      min: 1,
      max: MAX_MS,
      off: "the worker's",
      value: -1,
      help: 'the maximum number of requests of the service that run at the same time',
    },
  ],
  rules: [
    { name: 'users', type: 'own', help: 'the rules of users, by their names' },
    { name: 'authenticate', type: 'function', help: 'decides on peers that the users lack' },
    {
      name: 'authenticateTimeout',
      ...ms(1),
      value: 5000,
      help: 'how long authenticate may take',
    },
    {
      name: 'authorize',
      type: 'function',
      help: 'decides on actions that the rules do not grant',
    },
    {
      name: 'authorizeTimeout',
      ...ms(1),
      value: 5000,
      help: 'how long authorize may take',
    },
  ],
  user: [
    { name: 'keys', type: 'own', help: 'CURVE: the public keys of the user' },
    { name: 'password', type: 'own', help: 'PLAIN: the password, or its hash' },
    { name: 'serve', type: 'own', help: 'the services that the workers of the user may serve' },
    { name: 'call', type: 'own', help: 'the services that the clients of the user may call' },
  ],
  monitor: [
    {
      name: 'token',
      type: 'own',
      default: 'none',
      help: 'a bearer token of visible ASCII characters',
      more: 'Without it only `/healthz`, `/readyz` and the empty page are answered. The page asks for the token',
    },
    {
      name: 'remote',
      type: 'boolean',
      value: false,
      help: 'whether to answer other machines',
      more: 'If false, the connection, its `Host` header, and the headers of a proxy such as `X-Forwarded-For` must name this machine',
    },
    {
      name: 'client',
      type: 'own',
      default: 'none',
      help: 'a started Client for the test requests of the page',
      more: 'Without it the page has no form',
    },
    {
      name: 'maxWorkers',
      type: 'integer',
      min: 0,
      value: 200,
      help: 'the number of workers with their own series in `/metrics`',
      more: 'The others are added up as `other`',
    },
    {
      name: 'interval',
      type: 'integer',
      min: 100,
      unit: 'ms',
      value: 2000,
      help: 'how often the page is updated',
    },
  ],
};

/** @type {readonly Option[]} */
const MEMBERS = Object.entries(OF).flatMap(([role, options]) =>
  options.map((option) => ({ ...option, of: [/** @type {Role} */ (role)], flag: { only: 'none' } })),
);

exports.MEMBERS = MEMBERS;
