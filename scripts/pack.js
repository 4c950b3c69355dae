'use strict';
// Packs the package and the platform packages into dist/, as they are published.
const fs = require('node:fs');
const path = require('node:path');
const { root } = require('./platforms.js');
const { npm } = require('./run.js');

const DIST = path.join(root, 'dist');

/**
 * @param {import('./platforms.js').Platform} platform
 * @param {string} from the folder of the binary
 * @returns {number} the size of the tarball in bytes
 */
function packPlatform(platform, from) {
  const stage = path.join(root, 'target', 'pack', platform.suffix);
  fs.rmSync(stage, { recursive: true, force: true });
  fs.cpSync(path.join(root, platform.dir), stage, { recursive: true });
  fs.copyFileSync(path.join(from, platform.file), path.join(stage, platform.file));
  for (const file of ['LICENSE', 'THIRD-PARTY-NOTICES.md'])
    fs.copyFileSync(path.join(root, file), path.join(stage, file));
  return pack(stage);
}

/** Packs the package itself. */
function packPackage() {
  return pack(root);
}

/** @param {string} dir */
function pack(dir) {
  // --ignore-scripts: the published content must not depend on life-cycle scripts.
  const output = npm(['pack', '--ignore-scripts', '--silent', '--pack-destination', DIST], { cwd: dir });
  return fs.statSync(path.join(DIST, output.trim().split('\n').at(-1) ?? '')).size;
}

module.exports = { DIST, packPlatform, packPackage };
