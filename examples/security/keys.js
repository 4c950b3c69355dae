'use strict';
// Creates a key pair for one peer: writes the secret key to a file that only its owner can read, prints the public key.
//
//   node examples/security/keys.js broker.key
const fs = require('node:fs');
const { curveKeyPair } = require('../..');

const { publicKey, secretKey } = curveKeyPair();
fs.writeFileSync(process.argv[2], secretKey, { mode: 0o600, flag: 'wx' });
console.log(publicKey);
