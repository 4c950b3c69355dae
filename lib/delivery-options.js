'use strict';

/**
 * For requests of a broker that passes no options on; such a broker does not repeat requests either.
 * @type {Readonly<{ attempt: number, deadline?: number }>}
 */
const NO_OPTIONS = Object.freeze({ attempt: 1 });

/** Reads the options of a worker's requests. */
class DeliveryOptions {
  /**
   * The last request: the text of its options, service and user; the length of its options; its attempt.
   */
  #lastText = '';
  #optionsLength = 0;
  #attempt = 1;
  #options = NO_OPTIONS;

  /**
   * Requests of one client mostly have equal options. These are parsed once, and frozen because all handlers
   * get the same object.
   * @param {string} text
   * @param {number} from the start of the options' JSON, which is empty if the broker does not pass options
   * on
   * @param {number} b length of the options
   * @param {number} c length of the service and the user
   * @param {number} attempt
   */
  read(text, from, b, c, attempt) {
    const length = b + c;
    if (length === 0 && attempt === 1) return NO_OPTIONS;
    if (
      length !== this.#lastText.length ||
      attempt !== this.#attempt ||
      b !== this.#optionsLength ||
      !text.startsWith(this.#lastText, from)
    ) {
      const terms = text.slice(from, from + length);
      this.#options = deepFreeze(parseOptions(terms.slice(0, b), terms.slice(b), attempt));
      this.#lastText = terms;
      this.#optionsLength = b;
      this.#attempt = attempt;
    }
    return this.#options;
  }
}

/** Precedes and follows the requested name, if it is present. */
const SERVICE_MARK = '\x01';

/**
 * The attempt, the requested name and the user are those that the broker gives; a client's statements about
 * them are dropped.
 * @param {string} json the client's options
 * @param {string} said the broker's statements: the requested name between two marks, if it differs from the
 * worker's service; then the user and, behind a NUL, its metadata as JSON, if a user is known
 * @param {number} attempt
 * @returns {any}
 */
function parseOptions(json, said, attempt) {
  const options = json === '' ? {} : JSON.parse(json);
  const usable = typeof options === 'object' && options !== null && !Array.isArray(options);
  const rest = usable ? withoutBrokerMembers(options) : {};
  rest.attempt = attempt;
  let user = said;
  if (said.startsWith(SERVICE_MARK)) {
    const end = said.indexOf(SERVICE_MARK, 1);
    if (end > 1) rest.service = said.slice(1, end);
    user = said.slice(end + 1);
  }
  if (user === '') return rest;
  const [name, ...metadata] = user.split('\0');
  rest.user = name;
  if (metadata.length > 0) rest.userMetadata = JSON.parse(metadata.join('\0'));
  return rest;
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
