'use strict';

const fs = require('node:fs');
const { Usage } = require('./failure');

/** @typedef {import('./settings').Options} Options */

/** Never an argument: those of a process are shown to everybody on the machine. */
/** @type {import('./settings').Option} */
const SECRET = { type: 'string', from: ['environment', 'file'] };

/** What a broker may be told of security. @type {Options} */
const SERVER_OPTIONS = {
  curveSecretKey: SECRET,
  curveSecretKeyFile: { type: 'string' },
  plainServer: { type: 'flag' },
  handshakeInterval: { type: 'number' },
  security: { type: 'object', from: ['file'] },
};

/** And a worker or client. @type {Options} */
const PEER_OPTIONS = {
  curveServerKey: { type: 'string' },
  curveSecretKey: SECRET,
  curveSecretKeyFile: { type: 'string' },
  plainUsername: { type: 'string' },
  plainPassword: SECRET,
  plainPasswordFile: { type: 'string' },
};

const PEER_HELP = `      --curve-server-key KEY         CURVE: the broker's public key
      --curve-secret-key-file FILE   CURVE: where the own secret key is, as "zmq-omdp keys" writes it
      --plain-username NAME          PLAIN
      --plain-password-file FILE     PLAIN: where the password is
`;

/** The variables that hold secrets, for no process that is started. */
const SECRET_VARIABLES = ['ZMQ_OMDP_CURVE_SECRET_KEY', 'ZMQ_OMDP_PLAIN_PASSWORD'];

/**
 * The options of a Broker.
 * @param {Record<string, any>} settings
 * @returns {Record<string, any>}
 */
function serverConf(settings) {
  const { plainServer, handshakeInterval, security } = settings;
  const curveSecretKey = secret(settings, 'curveSecretKey');
  return {
    curveServer: curveSecretKey === undefined ? undefined : true,
    curveSecretKey,
    plainServer,
    handshakeInterval,
    security,
  };
}

/**
 * The options of a Worker or Client.
 * @param {Record<string, any>} settings
 * @returns {Record<string, any>}
 */
function peerConf(settings) {
  const { curveServerKey, plainUsername } = settings;
  const [curveSecretKey, plainPassword] = ['curveSecretKey', 'plainPassword'].map((name) =>
    secret(settings, name),
  );
  return { curveServerKey, curveSecretKey, plainUsername, plainPassword };
}

/**
 * @param {Record<string, any>} settings
 * @param {string} name
 * @returns {string | undefined}
 */
function secret(settings, name) {
  const file = settings[`${name}File`];
  if (file === undefined) return settings[name];
  if (settings[name] !== undefined)
    throw new Usage(`"${name}" and "${name}File" are both given; one of them will do`);
  return readSecret(file);
}

/** What is in the file, without the end of its line. @param {string} file @returns {string} */
function readSecret(file) {
  let text;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch (error) {
    throw new Usage(`cannot read the secret: ${/** @type {Error} */ (error).message}`);
  }
  const line = text.replace(/\r?\n$/, '');
  if (line === '') throw new Usage(`the file ${file} is empty, and should hold a secret`);
  return line;
}

/**
 * For the log: secrets left out, of the rules the names of the users alone.
 * @param {Record<string, any>} settings
 * @returns {Record<string, any>}
 */
function withoutSecrets({ curveSecretKey, plainPassword, security, ...settings }) {
  return security === undefined ? settings : { ...settings, users: usersOf(security) };
}

/** @param {any} rules @returns {string[]} */
function usersOf(rules) {
  return Object.keys(rules.users ?? {});
}

/** @param {NodeJS.ProcessEnv} env @returns {NodeJS.ProcessEnv} */
function environmentWithoutSecrets(env) {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !SECRET_VARIABLES.includes(name)));
}

exports.PEER_HELP = PEER_HELP;
exports.PEER_OPTIONS = PEER_OPTIONS;
exports.SERVER_OPTIONS = SERVER_OPTIONS;
exports.environmentWithoutSecrets = environmentWithoutSecrets;
exports.peerConf = peerConf;
exports.readSecret = readSecret;
exports.serverConf = serverConf;
exports.usersOf = usersOf;
exports.withoutSecrets = withoutSecrets;
