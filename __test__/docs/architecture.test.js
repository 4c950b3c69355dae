'use strict';
// ARCHITECTURE.md names every source file, and no file that does not exist.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { ROOT } = require('../support/programs');

const TEXT = fs.readFileSync(path.join(ROOT, 'ARCHITECTURE.md'), 'utf8');

/** The names in code style, with the path that precedes them. */
const NAMED = [...TEXT.matchAll(/`([\w./-]+\.(?:rs|js|ts))`/g)].map(([, name]) => name);

/** @param {string} folder @returns {string[]} the files below, as paths from the root */
function filesIn(folder) {
  const entries = fs.readdirSync(path.join(ROOT, folder), { withFileTypes: true });
  return entries.flatMap((entry) => {
    const name = `${folder}/${entry.name}`;
    return entry.isDirectory() ? filesIn(name) : [name];
  });
}

const SOURCES = ['src', 'lib'].flatMap(filesIn).filter((name) => /\.(rs|js)$/.test(name));

/** Tests, fuzzers, vendored files and the files of the page are described as folders. */
const IN_FOLDERS = /\/tests?(\/|\.rs$)|_tests?\.rs$|^src\/fuzz\/|\/vendor\/|\/page\//;

/** Module files without a concept of their own. */
const INDEX = /^src\/(lib|io\/mod|node\/mod|proto\/mod|wire\/mod|proto\/several\/mod)\.rs$|\/index\.js$/;

test('every source file is named', () => {
  const bases = new Set(NAMED.map((name) => path.posix.basename(name)));
  const missing = SOURCES.filter((name) => !IN_FOLDERS.test(name) && !INDEX.test(name)).filter(
    (name) => !bases.has(path.posix.basename(name)) && !TEXT.includes(`\`${name.replace(/^src\//, '')}\``),
  );
  assert.deepEqual(missing, []);
});

test('every named file exists', () => {
  const all = [
    ...SOURCES,
    ...['crates', 'scripts', 'benches', '__test__', 'models'].flatMap(filesIn),
    ...fs.readdirSync(ROOT),
  ];
  const missing = NAMED.filter((name) => !all.some((file) => file === name || file.endsWith(`/${name}`)));
  assert.deepEqual(missing, []);
});
