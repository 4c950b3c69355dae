'use strict';
// libzmq alone, in Rust: see ../bare.
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { address } = require('../harness/address.js');
const { root } = require('../../scripts/platforms.js');
const { Skip } = require('./skip.js');

const TARGET = path.join(root, 'target', 'bare');
const PROGRAM = path.join(TARGET, 'release', process.platform === 'win32' ? 'bare.exe' : 'bare');

module.exports = {
  name: 'bare',
  title: 'bare libzmq in Rust',
  can: ['text', 'parts', 'bytes', 'sink'],
  ipc: true,

  async prepare() {
    const manifest = path.join(root, 'benches', 'bare', 'Cargo.toml');
    if (!fs.existsSync(PROGRAM)) console.log('building the program in benches/bare (a few minutes) …');
    const args = ['build', '--release', '--locked', '--manifest-path', manifest, '--target-dir', TARGET];
    const { status, error, stderr } = spawnSync('cargo', args, { encoding: 'utf8' });
    if (error) throw new Skip('there is no cargo to build it with (https://rustup.rs)');
    if (status !== 0) throw new Error(`benches/bare does not build:\n${stderr}`);
    return { version: `libzmq ${require('../..').version}`, conf: {} };
  },

  launch(role, { ports: [port], transport }) {
    return { lines: [PROGRAM, role, address(transport, port)] };
  },
};
