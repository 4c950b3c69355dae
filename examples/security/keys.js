'use strict';
// A key pair for one peer: the secret key goes into a file that only its owner can read, the public key is printed.
//
//   node examples/security/keys.js broker.key
const fs = require('node:fs');
const { curveKeyPair } = require('../..');

const { publicKey, secretKey } = curveKeyPair();
fs.writeFileSync(process.argv[2], secretKey, { mode: 0o600, flag: 'wx' });
console.log(publicKey);
