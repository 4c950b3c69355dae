'use strict';
// The garbage collector, for programs that were started without --expose-gc.
const { setFlagsFromString } = require('node:v8');
const { runInNewContext } = require('node:vm');

setFlagsFromString('--expose-gc');

/** @type {() => void} */
module.exports = runInNewContext('gc');
