'use strict';
// Preloaded where the C library is musl and the system is not Alpine: the loader of the package zeromq, which the tests
// use, takes the C library for musl only if Alpine's file is there.
const fs = require('node:fs');
const { existsSync } = fs;

fs.existsSync = (file) => file === '/etc/alpine-release' || existsSync(file);
