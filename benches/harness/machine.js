'use strict';
// The machine and the build to which the figures belong.
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const { binaryPath, readNote } = require('../../scripts/addon.js');

/** The system's release and load are included, because they explain unusual figures. */
function describeMachine() {
  const cpus = os.cpus();
  return {
    cpu: cpus[0]?.model.trim() ?? 'unknown',
    cores: cpus.length,
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    system: `${os.type()} ${os.release().replace(/-.*/, '')} ${os.arch()}`,
    node: process.versions.node,
    load: os.loadavg().map((load) => Number(load.toFixed(2))),
  };
}

/**
 * The profile of the measured binary, from the note of its build: figures of a debug build are meaningless.
 */
function buildState() {
  const { size, mtimeMs } = fs.statSync(binaryPath());
  try {
    const note = readNote();
    if (note.size === size && note.mtimeMs === mtimeMs) return { profile: note.profile, bytes: size };
  } catch {
    // The binary was built elsewhere, or manually.
  }
  return { profile: 'unknown', bytes: size };
}

/** The maximum number of open files of a process. Node.js raises its soft limit to the hard one. */
function openFiles() {
  try {
    const line = fs.readFileSync('/proc/self/limits', 'utf8').match(/^Max open files\s+\S+\s+(\S+)/m);
    return line?.[1] === 'unlimited' ? Number.POSITIVE_INFINITY : Number(line?.[1]);
  } catch {
    return Number(execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' })) || Number.POSITIVE_INFINITY;
  }
}

module.exports = { buildState, describeMachine, openFiles };
