'use strict';
// `npm run pack:local`: the tarballs as they are published, into dist/: the package itself and the platform package
// of this machine. With --all (the release workflow): the platform packages of all targets, whose binaries have to
// lie in the repository's root.
const fs = require('node:fs');
const path = require('node:path');
const { ensure } = require('./ensure.js');
const { hostPlatform, platforms, root } = require('./platforms.js');
const { npm } = require('./run.js');

const DIST = path.join(root, 'dist');

/** @param {import('./platforms.js').Platform} platform */
function packPlatform(platform) {
  const stage = path.join(root, 'target', 'pack', platform.suffix);
  fs.rmSync(stage, { recursive: true, force: true });
  fs.cpSync(path.join(root, platform.dir), stage, { recursive: true });
  for (const file of [platform.file, 'LICENSE', 'THIRD-PARTY-NOTICES.md']) {
    fs.copyFileSync(path.join(root, file), path.join(stage, file));
  }
  pack(stage);
}

/** @param {string} dir */
function pack(dir) {
  // --ignore-scripts: what is published must not depend on what a life-cycle script does.
  npm(['pack', '--ignore-scripts', '--pack-destination', DIST], { cwd: dir });
}

function packAll() {
  const all = process.argv.includes('--all');
  if (!all) ensure('release');
  const host = hostPlatform();
  const chosen = all ? platforms() : host ? [host] : [];
  if (chosen.length === 0) throw new Error(`no platform package for ${process.platform} ${process.arch}`);

  fs.rmSync(DIST, { recursive: true, force: true });
  fs.mkdirSync(DIST);
  for (const platform of chosen) packPlatform(platform);
  pack(root);
  for (const name of fs.readdirSync(DIST)) {
    console.log(`dist/${name}  ${(fs.statSync(path.join(DIST, name)).size / 1024).toFixed(1)} kB`);
  }
}

packAll();
