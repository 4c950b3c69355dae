'use strict';
// `npm run build` and `npm run build:debug`. Further arguments are passed to the napi CLI (`-- --target …`).
const path = require('node:path');
const { build } = require('./addon.js');
const { ensureTools } = require('./ensure.js');
const { seconds } = require('./run.js');

const [profile, ...more] = process.argv.slice(2);
if (profile !== 'release' && profile !== 'debug') throw new Error('usage: build.js release|debug [more…]');
ensureTools();
const start = performance.now();
const binary = build(profile, more);
console.log(`${path.basename(binary)} (${profile}) built in ${seconds(start)}`);
