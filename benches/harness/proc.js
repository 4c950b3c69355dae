'use strict';
// What Linux tells about a process. Elsewhere there is nothing, and the figures that need it are left out.
const fs = require('node:fs');

/** Of utime and stime: USER_HZ, the same on every Linux that Node runs on. */
const TICKS = 100;

/** The processor time that a process has used, in seconds. @returns {number | undefined} */
function cpuSeconds(pid) {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name, in parentheses, may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS;
  } catch {
    return undefined;
  }
}

/** Resident memory in bytes: now, at its peak, and without what belongs to files. */
function memory(pid) {
  try {
    const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
    const field = (name) => Number(status.match(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm'))?.[1]) * 1024;
    return { resident: field('VmRSS'), peak: field('VmHWM'), anonymous: field('RssAnon') };
  } catch {
    return undefined;
  }
}

/** Lets the peak begin anew at what is resident now. */
function forgetPeak(pid) {
  try {
    fs.writeFileSync(`/proc/${pid}/clear_refs`, '5');
  } catch {
    // Then the peak is that of the whole life, of which the warm-up is the smaller part.
  }
}

module.exports = { cpuSeconds, forgetPeak, memory };
