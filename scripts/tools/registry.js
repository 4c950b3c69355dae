'use strict';
// A registry of the tarballs in dist/, so that package managers install them as published packages: by name
// and version, with the platform package selected by `os`, `cpu` and `libc`. Unpacked platform packages exist
// without binaries, because some managers fetch all of them. It is a separate program, because its parent
// waits for other programs; it prints its URL.
const crypto = require('node:crypto');
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');
const { platforms, root } = require('../platforms.js');
const { npm } = require('../run.js');

const DIST = path.join(root, 'dist');
const EMPTY = fs.mkdtempSync(path.join(os.tmpdir(), 'omdp-registry-'));
process.once('exit', () => fs.rmSync(EMPTY, { recursive: true, force: true }));

function packEmpty() {
  const { version } = manifestIn('.');
  const missing = platforms().filter(({ name }) => !fs.existsSync(path.join(DIST, `${name}-${version}.tgz`)));
  const folders = missing.map(({ dir }) => `./${dir}`);
  if (folders.length > 0)
    npm(['pack', '--silent', '--ignore-scripts', '--pack-destination', EMPTY, ...folders]);
}

/** @param {string} file the name of a tarball @returns {Buffer | undefined} */
function tarball(file) {
  const found = [DIST, EMPTY].map((folder) => path.join(folder, file)).find((name) => fs.existsSync(name));
  return found === undefined ? undefined : fs.readFileSync(found);
}

/** @param {string} folder @returns {any} */
function manifestIn(folder) {
  return JSON.parse(fs.readFileSync(path.join(root, folder, 'package.json'), 'utf8'));
}

/** The registry's document about a package with one version. @param {any} manifest @param {string} url */
function packument(manifest, url) {
  const { name, version } = manifest;
  const file = `${name}-${version}.tgz`;
  const bytes = tarball(file) ?? Buffer.alloc(0);
  const dist = {
    tarball: `${url}/${name}/-/${file}`,
    shasum: crypto.createHash('sha1').update(bytes).digest('hex'),
    integrity: `sha512-${crypto.createHash('sha512').update(bytes).digest('base64')}`,
  };
  const time = '2020-01-01T00:00:00.000Z';
  return {
    name,
    'dist-tags': { latest: version },
    versions: { [version]: { ...manifest, dist } },
    time: { created: time, modified: time, [version]: time },
  };
}

packEmpty();
const manifests = new Map(
  ['.', ...platforms().map(({ dir }) => dir)].map((folder) => {
    const manifest = manifestIn(folder);
    return [manifest.name, manifest];
  }),
);

const server = http.createServer((req, res) => {
  const { pathname } = new URL(req.url ?? '/', 'http://localhost');
  const [, name, , file] = pathname.split('/');
  if (file) {
    const bytes = tarball(path.basename(file));
    if (!bytes) return res.writeHead(404).end();
    return res.writeHead(200, { 'content-type': 'application/octet-stream' }).end(bytes);
  }
  const manifest = manifests.get(name);
  if (!manifest) return res.writeHead(404, { 'content-type': 'application/json' }).end('{}');
  const body = JSON.stringify(packument(manifest, `http://${req.headers.host}`));
  return res.writeHead(200, { 'content-type': 'application/json' }).end(body);
});

server.listen(0, '127.0.0.1', () => {
  const address = /** @type {import('node:net').AddressInfo} */ (server.address());
  console.log(`http://127.0.0.1:${address.port}`);
});
process.once('disconnect', () => server.close(() => process.exit()));
