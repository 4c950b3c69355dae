'use strict';
// pyzmq-mdp, the implementation of MDP 0.1 in Python that RFC 7 names. It is of 2012, for Python 2: its installer
// translates it with 2to3, which setuptools and Python have dropped meanwhile.
const path = require('node:path');
const { environment } = require('./python');

const PEER = path.join(__dirname, 'pyzmq_mdp_peer.py');
const { missing, run } = environment(
  'pyzmq-mdp-0.2',
  [
    ['setuptools<58', 'wheel', 'tornado>=6,<7', 'pyzmq>=22,<28'],
    ['--no-build-isolation', 'pyzmq-mdp==0.2'],
  ],
  [3, 12],
);

module.exports = {
  missing,
  /** Runs a broker, worker or client of it. */
  run: (t, role, endpoint, ...args) => run(t, '-W', 'ignore', PEER, role, endpoint, ...args),
};
