'use strict';
// What the kernel counts for a process. Linux only.
const fs = require('node:fs');

const COUNTED = process.platform === 'linux';

const threads = () => fs.readdirSync('/proc/self/task').length;
const descriptors = () => fs.readdirSync('/proc/self/fd').length;

const counts = () => ({ threads: threads(), descriptors: descriptors() });

module.exports = { COUNTED, counts };
