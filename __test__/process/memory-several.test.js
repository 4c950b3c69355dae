'use strict';
// See support/leaks.js, for peers of several brokers.
const { leaveNothing } = require('../support/leaks');

leaveNothing('two brokers', 2);
