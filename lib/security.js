'use strict';

const { isObject, members, user: checkName } = require('./checks');
const { describe, given } = require('./describe');
const { checkKey, publicKeyOf } = require('./keys');
const { checksOf, defaultsOf } = require('./options');
const { checkPasswordRule } = require('./passwords');

/** The user name of the rules for all users that are not listed. */
const OTHERS = '*';

/** @param {Record<string, unknown>} conf @param {string[]} names @param {string} why */
function demand(conf, names, why) {
  for (const name of names) {
    if (conf[name] === undefined) throw new TypeError(`option "${name}" is missing: ${why}`);
  }
}

/** @param {Record<string, unknown>} conf @param {string[]} names @param {string} what such as 'requires …' */
function forbid(conf, names, what) {
  for (const name of names) {
    if (conf[name] !== undefined) throw new TypeError(`option "${name}" ${what}`);
  }
}

/** @param {readonly string[]} endpoints @param {string} [hint] a further remedy */
function refuseInproc(endpoints, hint = '') {
  const inproc = endpoints.find((endpoint) => endpoint.startsWith('inproc:'));
  if (inproc !== undefined) {
    const name = describe(inproc);
    throw new RangeError(
      `endpoint ${name} cannot be secured: inproc:// has no handshake; use tcp:// or ipc://${hint}`,
    );
  }
}

/** @param {Record<string, any>} conf @param {string} secretKey @returns {string} */
function publicKey(conf, secretKey) {
  const derived = publicKeyOf(secretKey);
  if (conf.curvePublicKey !== undefined && conf.curvePublicKey !== derived) {
    throw new RangeError('option "curvePublicKey" is not the public key of "curveSecretKey"');
  }
  return derived;
}

/**
 * Combines the security options of a worker or client into `security`, for the native side.
 * @param {Record<string, any>} conf individually checked
 * @param {readonly string[]} endpoints
 * @returns {any}
 */
function secureClient(conf, endpoints) {
  const { curveServerKey, curvePublicKey, curveSecretKey, plainUsername, plainPassword, ...rest } = conf;
  if (curveServerKey !== undefined || curveSecretKey !== undefined || curvePublicKey !== undefined) {
    demand(
      conf,
      ['curveServerKey', 'curveSecretKey'],
      "CURVE requires the broker's public key and the peer's own secret key",
    );
    forbid(conf, ['plainUsername', 'plainPassword'], 'cannot be combined with CURVE');
    refuseInproc(endpoints);
    rest.security = {
      mechanism: 'curve',
      serverKey: curveServerKey,
      publicKey: publicKey(conf, curveSecretKey),
      secretKey: curveSecretKey,
    };
  } else if (plainUsername !== undefined || plainPassword !== undefined) {
    demand(conf, ['plainUsername', 'plainPassword'], 'PLAIN requires a user name and a password');
    refuseInproc(endpoints);
    rest.security = { mechanism: 'plain', username: plainUsername, password: plainPassword };
  }
  return rest;
}

/**
 * The callbacks of a broker's rules.
 * @typedef {{ authenticate: Function | undefined, authorize: Function | undefined }} Callbacks
 */

/**
 * Combines the security options of a broker.
 * @param {Record<string, any>} conf individually checked
 * @param {readonly string[]} endpoints
 * @returns {{ conf: any, callbacks: Callbacks }}
 */
function secureServer(conf, endpoints) {
  const { curveServer, curvePublicKey, curveSecretKey, plainServer, security, ...rest } = conf;
  if (!curveServer) forbid(conf, ['curvePublicKey', 'curveSecretKey'], 'requires "curveServer"');
  if (!curveServer && !plainServer) {
    forbid(conf, ['security', 'inprocUser'], 'requires "curveServer" or "plainServer"');
    return { conf: rest, callbacks: { authenticate: undefined, authorize: undefined } };
  }
  if (curveServer && plainServer) {
    throw new TypeError('option "plainServer" cannot be combined with "curveServer"');
  }
  if (rest.inprocUser === undefined) {
    refuseInproc(endpoints, ', or admit the peers of this process by option "inprocUser"');
  }
  const mechanism = curveServer ? 'curve' : 'plain';
  if (curveServer) {
    demand(conf, ['curveSecretKey'], 'CURVE requires a secret key');
    publicKey(conf, curveSecretKey);
  } else demand(conf, ['security'], 'PLAIN requires rules with users');
  const { rules, callbacks } =
    security === undefined ? OPEN : checkRules(security, mechanism, 'option "security"');
  return { conf: { ...rest, security: { mechanism, secretKey: curveSecretKey }, rules }, callbacks };
}

const EVERYTHING = { user: OTHERS, serve: ['*'], call: ['*'] };

/** The rules of a broker with CURVE and no rules: every peer with its key is admitted. */
const OPEN = {
  rules: { open: true, keys: [], passwords: [], grants: [], others: EVERYTHING },
  callbacks: { authenticate: undefined, authorize: undefined },
};

const RULES = checksOf('rules');
const USER = checksOf('user');

/**
 * @param {unknown} value
 * @param {string} mechanism
 * @param {string} what
 * @returns {{ rules: any, callbacks: Callbacks }}
 */
function checkRules(value, mechanism, what) {
  const { users, authenticate, authenticateTimeout, authorize, authorizeTimeout } = members(
    record(value, what),
    what,
    RULES,
    defaultsOf('rules'),
  );
  const rules = {
    open: false,
    keys: /** @type {object[]} */ ([]),
    passwords: /** @type {object[]} */ ([]),
    grants: /** @type {object[]} */ ([]),
    // Peers that the callback admits may do everything, unless `authorize` or the rules restrict them.
    others: authorize === undefined ? EVERYTHING : { user: OTHERS, serve: [], call: [] },
    authenticate: authenticate && authenticateTimeout,
    authorize: authorize && authorizeTimeout,
  };
  const taken = new Set();
  for (const [user, each] of Object.entries(record(users ?? {}, `${what}.users`))) {
    const name = `${what}.users[${JSON.stringify(user)}]`;
    checkName(user, `${name}: a user`);
    const rule = members(record(each, name), name, USER);
    for (const text of keysOf(rule.keys, `${name}.keys`)) {
      if (mechanism !== 'curve') throw new TypeError(`${name}.keys requires CURVE`);
      if (taken.has(text))
        throw new RangeError(`${name}.keys has a key that is listed twice or that another user has`);
      taken.add(text);
      rules.keys.push({ key: text, user });
    }
    if (rule.password !== undefined) {
      if (mechanism !== 'plain') throw new TypeError(`${name}.password requires PLAIN`);
      rules.passwords.push({ user, ...checkPasswordRule(rule.password, `${name}.password`) });
    }
    if (user === OTHERS && (rule.keys !== undefined || rule.password !== undefined)) {
      throw new TypeError(`${name} stands for all other users and must have neither keys nor a password`);
    }
    const grant = { user, ...grantOf(rule, name, authorize !== undefined) };
    if (user === OTHERS) rules.others = grant;
    else rules.grants.push(grant);
  }
  return { rules, callbacks: { authenticate, authorize } };
}

/**
 * A user without `serve` and `call` may do everything; otherwise only what is listed.
 * @param {Record<string, unknown>} rule
 * @param {string} name
 * @param {boolean} asked
 */
function grantOf({ serve, call }, name, asked) {
  const silent = serve === undefined && call === undefined && !asked;
  const patterns = (/** @type {unknown} */ value, /** @type {string} */ what) => {
    if (value === undefined) return silent ? ['*'] : [];
    const list = Array.isArray(value) ? value : [value];
    for (const each of list) {
      if (typeof each !== 'string' || each === '' || each.includes('\0')) {
        throw new TypeError(
          `${what} must be a service, a pattern with *, or an array of them, got ${given(each)}`,
        );
      }
    }
    return list;
  };
  return { serve: patterns(serve, `${name}.serve`), call: patterns(call, `${name}.call`) };
}

/** @param {unknown} value @param {string} what @returns {object} */
function record(value, what) {
  // A promise or a Map would count as empty rules, which admit peers.
  if (isObject(value)) return value;
  // The value is not shown: in `users: { web: 'secret' }` it is a password.
  const tag = Object.prototype.toString.call(value).slice('[object '.length, -1);
  const type = typeof value === 'object' && value !== null ? tag : value === null ? 'null' : typeof value;
  throw new TypeError(`${what} must be an object, got ${type === 'Array' ? 'array' : type}`);
}

/** @param {unknown} value @param {string} what @returns {string[]} */
function keysOf(value, what) {
  if (value === undefined) return [];
  if (Array.isArray(value)) return value.map((each, at) => checkKey(each, `${what}[${at}]`));
  return [checkKey(value, what)];
}

exports.checkRules = checkRules;
exports.secureClient = secureClient;
exports.secureServer = secureServer;
