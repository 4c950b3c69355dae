'use strict';
// `require('zmq-omdp/binary')`: the path of the native binary for this machine, for build scripts that copy
// it beside a bundle or into an executable. It does not load the binary.
const fs = require('node:fs');
const path = require('node:path');
const { abiOf, libcOfHost } = require('./host');

const { platform, arch } = process;
const suffix = `${platform}-${arch}${abiOf(platform, platform === 'linux' ? libcOfHost() : null)}`;
const built = path.join(__dirname, '..', `zmq-omdp.${suffix}.node`);

module.exports = fs.existsSync(built) ? built : require.resolve(`zmq-omdp-${suffix}`);
