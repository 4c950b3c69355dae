'use strict';

const { ms, PEERS } = require('./option');

/** @import { Option } from './option' */

/** Options of brokers, workers and clients. @type {readonly Option[]} */
const PEER_OPTIONS = [
  {
    name: 'heartbeat',
    of: PEERS,
    ...ms(1),
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
    // The maximum size of a batch of short messages.
    min: 65536,
    unit: 'bytes',
    // Half of V8's longest string.
    value: 256 * 1024 * 1024,
    help: 'the largest body that is sent or accepted',
    more: 'Giving a larger one throws a `RangeError`. See [Sizes](broker.md#sizes)',
  },
];

exports.PEER_OPTIONS = PEER_OPTIONS;
