'use strict';
// See support/leaks.js.
const { leaveNothing } = require('../support/leaks');

leaveNothing('one broker', 1);
