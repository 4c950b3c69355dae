'use strict';

/**
 * For requests of a broker that passes no options on; such a broker does not repeat requests either.
 * @type {Readonly<{ attempt: number, deadline?: number }>}
 */
const NO_OPTIONS = Object.freeze({ attempt: 1 });

/** Reads the options of a worker's requests. */
class DeliveryOptions {
  /** The last request: the text of its options, service, user and metadata; their lengths; its attempt. */
  #lastText = '';
  #lengths = [0, 0, 0];
  #attempt = 1;
  #options = NO_OPTIONS;

  /**
   * Requests of one client mostly have equal options. These are parsed once, and frozen because all handlers
   * get the same object.
   * @param {string} text
   * @param {number} from the start of the options' JSON, which is empty if the broker does not pass options
   * on
   * @param {number} b length of the options
   * @param {number} c length of the name that was asked for; 0 if it is that of the worker's service
   * @param {number} d length of the user's name; 0 if no user is known
   * @param {number} e length of the user's metadata as JSON; 0 if it has none
   * @param {number} attempt
   */
  read(text, from, b, c, d, e, attempt) {
    const length = b + c + d + e;
    if (length === 0 && attempt === 1) return NO_OPTIONS;
    const lengths = this.#lengths;
    if (
      length !== this.#lastText.length ||
      attempt !== this.#attempt ||
      b !== lengths[0] ||
      c !== lengths[1] ||
      d !== lengths[2] ||
      !text.startsWith(this.#lastText, from)
    ) {
      const terms = text.slice(from, from + length);
      const options = parseOptions(terms.slice(0, b));
      options.attempt = attempt;
      if (c > 0) options.service = terms.slice(b, b + c);
      if (d > 0) options.user = terms.slice(b + c, b + c + d);
      if (e > 0) options.userMetadata = JSON.parse(terms.slice(b + c + d));
      this.#options = deepFreeze(options);
      this.#lastText = terms;
      this.#lengths = [b, c, d];
      this.#attempt = attempt;
    }
    return this.#options;
  }
}

/**
 * The attempt, the requested name and the user are those that the broker gives; a client's statements about
 * them are dropped.
 * @param {string} json the client's options
 * @returns {Record<string, any>}
 */
function parseOptions(json) {
  const options = json === '' ? {} : JSON.parse(json);
  const usable = typeof options === 'object' && options !== null && !Array.isArray(options);
  return usable ? withoutBrokerMembers(options) : {};
}

/**
 * Options without the members that only the broker may state.
 * @param {Record<string, any>} options parsed JSON
 * @returns {Record<string, any>}
 */
function withoutBrokerMembers(options) {
  const has = 'user' in options || 'userMetadata' in options || 'service' in options;
  if (!has) return options;
  const { user: _, userMetadata: __, service: ___, ...rest } = options;
  return rest;
}

/** @param {any} value @returns {any} */
function deepFreeze(value) {
  if (typeof value === 'object' && value !== null) {
    Object.freeze(value);
    for (const key of Object.keys(value)) deepFreeze(value[key]);
  }
  return value;
}

exports.DeliveryOptions = DeliveryOptions;
