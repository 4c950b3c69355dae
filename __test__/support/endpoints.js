'use strict';
// Endpoints that nobody else uses, known before anything is bound to them.
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

// OMDP_WITHOUT_IPC: scripts/foreign.js sets it for wine, whose Windows has no such sockets.
const TRANSPORTS = ['tcp', 'ipc', 'inproc'].filter((name) => name !== 'ipc' || !process.env.OMDP_WITHOUT_IPC);
/** Those between processes. */
const REMOTE_TRANSPORTS = TRANSPORTS.filter((name) => name !== 'inproc');

let counter = 0;
/** @type {string | undefined} */
let folder;

/**
 * On Linux all of 127/8 is loopback, so each process takes an address of its own, and below 32768 no port is given to
 * anybody who did not ask for it. Elsewhere there is one address, and processes keep apart by their ports.
 */
function tcp() {
  const { pid } = process;
  if (process.platform === 'linux') {
    const address = [1 + (pid >> 16), (pid >> 8) & 255, 1 + (pid & 127)];
    return `tcp://127.${address.join('.')}:${(pid & 128) * 64 + 10_000 + counter}`;
  }
  return `tcp://127.0.0.1:${10_000 + ((pid * 97 + counter) % 22_000)}`;
}

function ipc() {
  if (folder === undefined) {
    const made = fs.mkdtempSync(path.join(os.tmpdir(), 'omdp-'));
    folder = made;
    process.on('exit', () => fs.rmSync(made, { recursive: true, force: true }));
  }
  return `ipc://${path.join(folder, String(counter))}`;
}

/** @param {string} transport @returns {string} an endpoint that was never given out before */
function freshEndpoint(transport) {
  counter += 1;
  if (transport === 'tcp') return tcp();
  if (transport === 'ipc') return ipc();
  return `inproc://test-${process.pid}-${counter}`;
}

module.exports = { REMOTE_TRANSPORTS, TRANSPORTS, freshEndpoint };
