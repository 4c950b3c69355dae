'use strict';
// `npm run pack:local`: packs the tarballs as they are published, into dist/: the package and the platform
// package of this machine. With --all (the release workflow): the platform packages of all targets, whose
// binaries must be in the root of the repository.
const fs = require('node:fs');
const path = require('node:path');
const { ensure } = require('./ensure.js');
const { DIST, packPackage, packPlatform } = require('./pack.js');
const { hostPlatform, platforms, root } = require('./platforms.js');

function packAll() {
  const all = process.argv.includes('--all');
  if (!all) ensure('release');
  const host = hostPlatform();
  const chosen = all ? platforms() : host ? [host] : [];
  if (chosen.length === 0) throw new Error(`no platform package for ${process.platform} ${process.arch}`);

  fs.rmSync(DIST, { recursive: true, force: true });
  fs.mkdirSync(DIST);
  for (const platform of chosen) packPlatform(platform, root);
  packPackage();
  for (const name of fs.readdirSync(DIST)) {
    console.log(`dist/${name}  ${(fs.statSync(path.join(DIST, name)).size / 1024).toFixed(1)} kB`);
  }
}

packAll();
