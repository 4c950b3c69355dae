'use strict';

const { EventEmitter } = require('node:events');
const { Readable, Writable } = require('node:stream');
const { callersOfWait, withCallers } = require('./caller-stack');

/**
 * A stream costs a hundred times the rest of a short request, and most streams are never used. These classes therefore
 * inherit from Readable and Writable without running their constructors. The prototype has accessors in place of the fields
 * that the constructors would set. The first access to one of them calls `[build]()`, which runs the constructor and brings
 * the new stream to the state of the object.
 */
const build = Symbol('build');

/** Runs the constructor of the stream's class; `[build]()` has to call it first. */
const construct = Symbol('construct');

/** Returns the value that an `error` event carries for an error. */
const errorToEmit = Symbol('errorToEmit');

/** Adds the frames of the first listener for errors to the stack of an error. */
const withListener = Symbol('withListener');

/** Records that a loop reads the stream. */
const loop = Symbol('loop');

/** Turns the iterator of a Readable into that of the class. */
const iterate = Symbol('iterate');

/** Whether the stream was constructed. */
const built = Symbol('built');

/** The fields on which the methods of EventEmitter and of the streams depend. */
const FIELDS = ['_events', '_eventsCount', '_maxListeners'];

/**
 * @typedef {{
 *   readonly [built]: boolean,
 *   [construct](options: object): void,
 *   [errorToEmit](error: unknown): unknown,
 *   [withListener]<E extends Error>(error: E, keep?: boolean): E,
 * }} Lazy
 */

/**
 * A parent with the right prototype and an empty constructor.
 * @param {new () => import('node:stream').Stream} Stream
 */
function inert(Stream) {
  function Inert() {}
  Inert.prototype = Object.create(Stream.prototype, {
    constructor: { value: Inert, writable: true, configurable: true },
  });
  Object.setPrototypeOf(Inert, Stream);
  return /** @type {any} */ (Inert);
}

/** The first access to a field constructs the stream. @param {object} prototype @param {string[]} fields */
function defineFields(prototype, fields) {
  for (const field of fields) {
    Object.defineProperty(prototype, field, {
      configurable: true,
      get() {
        return this[fieldOf](field);
      },
      set(value) {
        Object.defineProperty(this, field, { value, writable: true, enumerable: true, configurable: true });
      },
    });
  }
}

/** Returns a field that the object does not have yet. */
const fieldOf = Symbol('fieldOf');

/**
 * @template {import('node:stream').Stream} S
 * @param {new () => S} Stream Readable or Writable
 * @param {string} state the name of the class's own state field
 * @returns {new () => S & Lazy}
 */
function lazily(Stream, state) {
  class Lazy extends inert(Stream) {
    #built = false;
    /**
     * The frames of the first function that waits for the stream. Null if a loop reads it: the errors that a loop throws
     * get the frames of the loop. Not every listener's frames are captured, which would cost a fifth of pipeline().
     * @type {object | null | undefined}
     */
    #listener;

    // biome-ignore lint/complexity/noUselessConstructor: without it V8 looks up the parent's each time.
    constructor() {
      super();
    }

    static {
      defineFields(Lazy.prototype, [...FIELDS, state]);
    }

    /** @param {string} field */
    [fieldOf](field) {
      // EventEmitter's constructor reads the prototype's `_events`; the prototype has no private fields.
      if (!(#built in this) || this.#built) return undefined;
      /** @type {any} */ (this)[build]();
      return /** @type {any} */ (this)[field];
    }

    get [built]() {
      return this.#built;
    }

    /** @param {object} options */
    [construct](options) {
      this.#built = true;
      /** @type {Function} */ (Stream).call(this, options);
    }

    /**
     * An `error` without a listener is not thrown: it is also reported elsewhere (the final callback, the promise, the
     * client), and one request must not end the process.
     * @param {string | symbol} event
     * @param {...any} args
     */
    emit(event, ...args) {
      if (event === 'error') {
        args[0] = this[errorToEmit](args[0]);
        if (this.listenerCount('error') === 0) {
          super.emit(EventEmitter.errorMonitor, ...args);
          return false;
        }
      }
      return super.emit(event, ...args);
    }

    /**
     * @param {string | symbol} event
     * @param {(...args: any[]) => void} listener
     */
    on(event, listener) {
      if (this.#listener === undefined) this.#listener = callersOfWait(event, listener, Lazy.prototype.on);
      return super.on(event, listener);
    }

    [loop]() {
      this.#listener ??= null;
    }

    /** @param {Error} error @param {boolean} [keep] whether its own frames are of interest, too */
    [withListener](error, keep) {
      return withCallers(error, this.#listener, keep);
    }

    /** @param {unknown} error */
    [errorToEmit](error) {
      return error;
    }
  }
  return /** @type {any} */ (Lazy);
}

/** @type {new () => Readable & Lazy} */
const LazyReadable = lazily(Readable, '_readableState');

// Methods of the class itself: a class between it and its subclasses would cost a further constructor for each stream.
Object.defineProperties(LazyReadable.prototype, {
  iterator: {
    configurable: true,
    writable: true,
    /** @this {any} @param {object} [options] */
    value(options) {
      this[loop]();
      return this[iterate](Readable.prototype.iterator.call(this, options));
    },
  },
  [Symbol.asyncIterator]: {
    configurable: true,
    writable: true,
    /** @this {any} */
    value() {
      return this.iterator();
    },
  },
});

exports.LazyReadable = LazyReadable;
exports.LazyWritable = lazily(Writable, '_writableState');
exports.build = build;
exports.built = built;
exports.construct = construct;
exports.errorToEmit = errorToEmit;
exports.iterate = iterate;
exports.withListener = withListener;
