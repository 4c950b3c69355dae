'use strict';
// What the figures were measured on, and with which build.
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const { binaryPath, build, built, readNote } = require('../../scripts/build.js');

/** Since a system's release and load say more about strange figures than its name, both go into the results. */
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

/** What is measured is what is published. */
function ensureRelease() {
  if (built() === 'release') return;
  console.log('building the release binary (a few minutes) …');
  build('release', [], { quiet: true });
}

/** What the binary is that was measured, by the note of its build: of a debug build no figure means anything. */
function buildState() {
  const { size, mtimeMs } = fs.statSync(binaryPath());
  try {
    const note = readNote();
    if (note.size === size && note.mtimeMs === mtimeMs) return { profile: note.profile, bytes: size };
  } catch {
    // Built elsewhere, or by hand.
  }
  return { profile: 'unknown', bytes: size };
}

/** How many files a process may have open. Node raises its own limit to the hard one. */
function openFiles() {
  try {
    const line = fs.readFileSync('/proc/self/limits', 'utf8').match(/^Max open files\s+\S+\s+(\S+)/m);
    return line?.[1] === 'unlimited' ? Number.POSITIVE_INFINITY : Number(line?.[1]);
  } catch {
    return Number(execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' })) || Number.POSITIVE_INFINITY;
  }
}

module.exports = { buildState, describeMachine, ensureRelease, openFiles };
