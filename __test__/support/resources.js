'use strict';
// What the kernel counts for a process. Linux only.
const fs = require('node:fs');

/** The options of a test that asks it. */
const COUNTING = { skip: process.platform !== 'linux' && 'only Linux has /proc' };

const threads = () => fs.readdirSync('/proc/self/task').length;
const descriptors = () => fs.readdirSync('/proc/self/fd').length;

const counts = () => ({ threads: threads(), descriptors: descriptors() });

module.exports = { COUNTING, counts };
