'use strict';
// Linux's data about a process. On other systems there are none, and figures that require them are omitted.
const fs = require('node:fs');

/** The unit of utime and stime: USER_HZ, equal on every Linux that Node.js supports. */
const TICKS = 100;

/** The processor time used by a process, in seconds. @returns {number | undefined} */
function cpuSeconds(pid) {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name, in parentheses, may contain any characters.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS;
  } catch {
    return undefined;
  }
}

/** Resident memory in bytes: the present value, the peak, and the part that does not belong to files. */
function memory(pid) {
  try {
    const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
    const field = (name) => Number(status.match(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm'))?.[1]) * 1024;
    return { resident: field('VmRSS'), peak: field('VmHWM'), anonymous: field('RssAnon') };
  } catch {
    return undefined;
  }
}

/** Resets the peak to the present resident memory. */
function forgetPeak(pid) {
  try {
    fs.writeFileSync(`/proc/${pid}/clear_refs`, '5');
  } catch {
    // Otherwise the peak includes the warm-up, which needs less.
  }
}

module.exports = { cpuSeconds, forgetPeak, memory };
