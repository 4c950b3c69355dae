'use strict';
// What the kernel counts for a process. Linux only.
const fs = require('node:fs');

/** The options of a test that asks it. */
const COUNTING = { skip: process.platform !== 'linux' && 'only Linux has /proc' };

const threads = () => fs.readdirSync('/proc/self/task').length;
const descriptors = () => fs.readdirSync('/proc/self/fd').length;

const counts = () => ({ threads: threads(), descriptors: descriptors() });

/** How often the thread of this name has slept so far. */
function slept(name) {
  for (const thread of fs.readdirSync('/proc/self/task')) {
    const status = fs.readFileSync(`/proc/self/task/${thread}/status`, 'utf8');
    if (!status.startsWith(`Name:\t${name}\n`)) continue;
    return Number(/\nvoluntary_ctxt_switches:\s+(\d+)/.exec(status)?.[1]);
  }
  throw new Error(`there is no thread ${name}`);
}

module.exports = { COUNTING, counts, slept };
