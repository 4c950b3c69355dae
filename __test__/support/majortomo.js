'use strict';
// majortomo, the implementation of MDP 0.2 in Python.
const { environment } = require('./python');

const { missing, run } = environment('majortomo-0.2.0', [['majortomo==0.2.0', 'six']]);

module.exports = {
  missing,
  /** Runs one of its modules. */
  run: (t, module, endpoint, ...args) => run(t, '-m', `majortomo.${module}`, '-b', endpoint, ...args),
};
