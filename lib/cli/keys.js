'use strict';

const { randomBytes } = require('node:crypto');
const fs = require('node:fs');
const { Failure, Usage } = require('./failure');
const { readSecret } = require('./secrets');
const { checked, readSettings } = require('./settings');

const help = `Usage: zmq-omdp keys [FILE] [OPTION…]

Creates a CURVE key pair, writes the secret key to FILE (zmq-omdp.key), readable only by its owner, and prints the public
key. An existing file is not changed.

  -f, --force               overwrite FILE; the old key is lost
  -p, --public              only print the public key of the secret key in FILE
  -h, --help                print this text
`;

/** @type {import('./settings').Options} */
const OPTIONS = {
  force: { type: 'flag', short: 'f', from: ['line'] },
  public: { type: 'flag', short: 'p', from: ['line'] },
};

const MODE = 0o600;

/** @param {string[]} args @returns {Promise<number>} */
async function run(args) {
  const { settings, positionals } = readSettings(OPTIONS, args);
  const [file = 'zmq-omdp.key', extra] = positionals;
  if (extra !== undefined) throw new Usage(`keys takes one FILE, but also got "${extra}"`);
  const { checkKey, curveKeyPair, publicKeyOf } = require('../keys');
  if (settings.public) {
    const secretKey = checked(() => checkKey(readSecret(file), `the content of ${file}`));
    process.stdout.write(`${publicKeyOf(secretKey)}\n`);
    return 0;
  }
  const { publicKey, secretKey } = curveKeyPair();
  try {
    write(file, `${secretKey}\n`, settings.force === true);
  } catch (error) {
    const { code, message } = /** @type {NodeJS.ErrnoException} */ (error);
    throw new Failure(code === 'EEXIST' ? `${file} already exists; --force overwrites it` : message);
  }
  process.stdout.write(`${publicKey}\n`);
  return 0;
}

/** @param {string} file @param {string} text @param {boolean} force */
function write(file, text, force) {
  if (!force) return fs.writeFileSync(file, text, { mode: MODE, flag: 'wx' });
  // Written to a new file, which then replaces the old one: that one may be readable for others, or a link.
  const fresh = `${file}.${randomBytes(6).toString('hex')}`;
  fs.writeFileSync(fresh, text, { mode: MODE, flag: 'wx' });
  try {
    fs.renameSync(fresh, file);
  } catch (error) {
    fs.rmSync(fresh, { force: true });
    throw error;
  }
}

exports.help = help;
exports.options = OPTIONS;
exports.run = run;
