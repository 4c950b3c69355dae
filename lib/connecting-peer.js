'use strict';

const { Peer } = require('./peer');

/** @import { Brokers } from './brokers' */
/** @import { Role } from './common-records' */
/** @import { Core } from './load' */

/** The common part of Worker and Client: a peer that connects to brokers. */
class ConnectingPeer extends Peer {
  #brokers;

  /**
   * @param {new (conf: any) => Core} NativeCore
   * @param {{ name: string, endpoints: string[] }} conf
   * @param {Role} role
   * @param {Readonly<Record<string, unknown>>} shown
   * @param {Brokers} brokers
   */
  constructor(NativeCore, conf, role, shown, brokers) {
    super(NativeCore, conf, role, shown, brokers);
    this.#brokers = brokers;
  }

  /** The endpoints of its brokers. @returns {readonly string[]} */
  get endpoints() {
    return this.#brokers.endpoints;
  }

  /** @param {string | readonly string[]} endpoint */
  setEndpoints(endpoint) {
    this.#brokers.set(endpoint);
  }
}

exports.ConnectingPeer = ConnectingPeer;
