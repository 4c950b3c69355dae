'use strict';

const { BrokerCore, Kind } = require('./load');
const { checkEndpoints } = require('./endpoints');
const { checkConf, shownConf } = require('./options');
const { Gatekeeper, reporter } = require('./gatekeeper');
const { Peer } = require('./peer');
const { checkRules, secureServer } = require('./security');
const { LargeJson } = require('./values');

/** @import { Take } from './inbox' */
/** @import { PeerContext } from './common-records' */
/** @import { Callbacks } from './security' */

/** The kinds of records from the native side. */
const AUTHENTICATE = Kind.Authenticate;
const AUTHORIZE = Kind.Authorize;

/** The role of a broker: its bound endpoints, its rules, and the questions of its callbacks. */
class BrokerRole {
  /** The bound endpoints, with the ports that wildcards got. @type {readonly string[]} */
  endpoints = Object.freeze([]);

  /** @type {any} */
  #core;
  /** @type {Gatekeeper} */
  #gatekeeper = /** @type {any} */ (undefined);

  /** @param {Callbacks} callbacks */
  constructor(callbacks) {
    this.#callbacks = callbacks;
  }

  #callbacks;

  /** @param {PeerContext} context */
  attach({ peer, core }) {
    this.#core = core;
    this.#gatekeeper = new Gatekeeper(this.#callbacks, reporter(peer));
  }

  /** @param {any} rules @param {Callbacks} callbacks */
  allow(rules, callbacks) {
    this.#core.allow(rules);
    this.#gatekeeper.callbacks = callbacks;
  }

  get refusals() {
    return this.#core.refusals();
  }

  /** @type {Take} */
  take(kind, id, a, _b, _c, text, at, blob) {
    // Data that exceed the longest string get no answer, which is a refusal.
    if (blob === null) return;
    const question = blob instanceof LargeJson ? blob.parse() : JSON.parse(text.slice(at, at + a));
    const core = this.#core;
    if (kind === AUTHENTICATE) {
      this.#gatekeeper.authenticate(question, ({ admit, user, metadata }) => {
        core.authenticated(id, admit, user, metadata);
      });
    } else if (kind === AUTHORIZE) {
      this.#gatekeeper.authorize(question, (allowed) => core.authorized(id, allowed));
    }
  }

  /** @param {any} native */
  stats(native) {
    return { ...native, refusals: this.refusals };
  }

  keepsAlive() {
    return true;
  }

  get waits() {
    return false;
  }

  /** @param {boolean} [discard] */
  stopCalled(discard) {
    if (discard) this.#core.discardAtStop();
  }

  /** @param {string} text */
  started(text) {
    this.endpoints = Object.freeze(JSON.parse(text));
  }

  stopped() {
    this.endpoints = Object.freeze([]);
  }
}

/** Passes requests of clients to the workers of their services. */
class Broker extends Peer {
  #role;
  /** @type {string | undefined} */
  #mechanism;

  /**
   * @param {string | readonly string[]} endpoint
   * @param {object} [conf]
   */
  constructor(endpoint, conf) {
    const endpoints = checkEndpoints(endpoint);
    const { conf: checked, callbacks } = secureServer(checkConf('broker', conf), endpoints);
    const role = new BrokerRole(callbacks);
    super(BrokerCore, { endpoints, ...checked }, role, shownConf('broker', checked));
    this.#role = role;
    this.#mechanism = checked.security?.mechanism;
  }

  get endpoints() {
    return this.#role.endpoints;
  }

  /** @param {unknown} rules */
  allow(rules) {
    if (this.#mechanism === undefined) {
      throw new TypeError('rules require the option "curveServer" or "plainServer"');
    }
    const checked = checkRules(rules, this.#mechanism, 'rules');
    this.#role.allow(checked.rules, checked.callbacks);
  }

  get refusals() {
    return this.#role.refusals;
  }
}

exports.Broker = Broker;
