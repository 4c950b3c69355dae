'use strict';

const { PEERS } = require('./option');

/** @import { Option } from './option' */

/** Options of security, for all roles. @type {readonly Option[]} */
const SECURITY_OPTIONS = [
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
    help: 'the rules: the admitted users, and the services that each may serve and call',
    more: 'See [security.md](security.md#authorization)',
    flag: { only: 'file' },
  },
  {
    name: 'inprocUser',
    of: ['broker'],
    type: 'user',
    group: 'security',
    default: 'none',
    help: 'the user of peers over inproc://; without it a broker with security binds no inproc endpoint',
    more: 'See [security.md](security.md#peers-in-the-process)',
    flag: { only: 'none' },
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

exports.SECURITY_OPTIONS = SECURITY_OPTIONS;
