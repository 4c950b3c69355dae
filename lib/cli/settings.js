'use strict';

const fs = require('node:fs');
const { parseArgs } = require('node:util');
const { Usage } = require('./failure');
const { didYouMean } = require('../suggestions');
const { kebab, variable } = require('./names');
const { OPTIONS } = require('../option-table');

/**
 * An option of a command. Its flag is its name in kebab case, its variable `ZMQ_OMDP_` and the name in upper
 * case, and its key in the config file the name itself.
 * @typedef {object} Option
 * @property {'string' | 'number' | 'octal' | 'flag' | 'list' | 'texts' | 'object'} type
 * @property {string} [short]
 * @property {string[]} [words] permitted instead of a number
 * @property {('line' | 'environment' | 'file')[]} [from] where it is permitted; everywhere if missing
 * @property {unknown} [value] the default
 */

/** @typedef {Record<string, Option>} Options */

/** The length of a CURVE key as text. */
const KEY_LENGTH = 40;

/** Where the settings were found that are not from the command line, as errors name it. @type {Map<string, string>} */
const places = new Map();

/** @param {Option} option @param {'line' | 'environment' | 'file'} place */
function isFrom({ from }, place) {
  return from === undefined || from.includes(place);
}

/**
 * Reads settings from the command line, then the environment, then the config file, then the defaults.
 * @param {Options} options
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {{ settings: Record<string, any>, positionals: string[] }} the arguments after `--` are positionals
 */
function readSettings(options, args, env = process.env) {
  const end = args.indexOf('--');
  const { values, positionals: before } = parse(options, end === -1 ? args : args.slice(0, end));
  const positionals = end === -1 ? before : [...before, ...args.slice(end + 1)];
  const given = /** @type {Record<string, unknown>} */ (values);
  const file = 'config' in options ? readFile(given.config ?? env[variable('config')]) : {};
  for (const key of Object.keys(file)) {
    if (!Object.hasOwn(options, key) || key === 'config' || !isFrom(options[key], 'file'))
      throw new Usage(`unknown key "${key}" in the config file${didYouMean(key, Object.keys(options))}`);
  }
  /** @type {Record<string, any>} */
  const settings = {};
  for (const [name, option] of Object.entries(options)) {
    const flag = `--${kebab(name)}`;
    places.delete(name);
    if (given[kebab(name)] !== undefined) settings[name] = convert(option, given[kebab(name)], flag);
    else if (env[variable(name)] && isFrom(option, 'environment')) {
      places.set(name, variable(name));
      settings[name] = convert(option, env[variable(name)], variable(name));
    } else if (Object.hasOwn(file, name)) {
      places.set(name, `"${name}" in the config file`);
      settings[name] = fromFile(option, file[name], name);
    } else if (option.value !== undefined) settings[name] = option.value;
  }
  return { settings, positionals };
}

/** @param {Options} options @param {string[]} args */
function parse(options, args) {
  /** @type {import('node:util').ParseArgsConfig['options']} */
  const flags = {};
  for (const [name, option] of Object.entries(options)) {
    if (!isFrom(option, 'line')) continue;
    const { type, short } = option;
    flags[kebab(name)] = {
      type: type === 'flag' ? 'boolean' : 'string',
      multiple: type === 'list' || type === 'texts',
      ...(short === undefined ? {} : { short }),
    };
  }
  const names = [...Object.keys(flags), 'help'].map((name) => `--${name}`);
  const joined = joinValues(flags, args);
  // parseArgs takes such a word for a short flag with the rest as its value. Users mean a long flag.
  const end = joined.indexOf('--');
  const flagged = end < 0 ? joined : joined.slice(0, end);
  const single = flagged.map((arg) => arg.replace(/=.*$/s, '')).find((arg) => names.includes(`-${arg}`));
  if (single !== undefined) throw new Usage(`unknown option "${single}"${didYouMean(`-${single}`, names)}`);
  try {
    return parseArgs({ args: joined, options: flags, allowPositionals: true, strict: true });
  } catch (error) {
    const { message } = /** @type {Error} */ (error);
    const [, unknown] = /^Unknown option '(--?[^'=]+)/.exec(message) ?? [];
    // parseArgs takes several letters after one dash for as many flags. Users mostly mean one.
    const isLetter = unknown !== undefined && !unknown.startsWith('--') && !args.includes(unknown);
    const word = args.find((arg) => isLetter && /^-[a-z][a-z-]+$/i.test(arg) && arg.includes(unknown[1]));
    if (word !== undefined) throw new Usage(`unknown option "${word}"${didYouMean(`-${word}`, names)}`);
    // For a short flag alone, the advice names the long one.
    const [, lacking] =
      /^Option '.*(--[\w-]+).*' argument (?:missing|is ambiguous)/.exec(message) ??
      /^Option '-\w' argument .*(--[\w-]+)=-/s.exec(message) ??
      [];
    const [, bare] = /^Option '.*(--[\w-]+)' does not take an argument/.exec(message) ?? [];
    if (bare !== undefined) throw new Usage(`${bare} takes no value`);
    if (lacking !== undefined) throw new Usage(`${lacking} needs a value`);
    // The rest is advice for arguments that begin with a dash, which no command takes.
    if (unknown === undefined) throw new Usage(message.replace(/\. To specify a positional argument.*/s, ''));
    throw new Usage(`unknown option "${unknown}"${didYouMean(unknown, names)}`);
  }
}

/**
 * Joins values to their flags, because a value that begins with a dash, such as -1, would be taken for a
 * flag.
 * @param {NonNullable<import('node:util').ParseArgsConfig['options']>} flags
 * @param {string[]} args
 * @returns {string[]}
 */
function joinValues(flags, args) {
  /** @type {Map<string, string>} */
  const takers = new Map();
  /** Values that are flags, so that the value before them is missing. */
  const shorts = new Set();
  for (const [name, { type, short }] of Object.entries(flags)) {
    if (short !== undefined) shorts.add(`-${short}`);
    if (type !== 'string') continue;
    takers.set(`--${name}`, `--${name}=`);
    if (short !== undefined) takers.set(`-${short}`, `-${short}`);
  }
  const result = [];
  for (let at = 0; at < args.length; at += 1) {
    const start = takers.get(args[at]);
    const value = args[at + 1];
    if (start === undefined || !value?.startsWith('-') || isFlag(value) || shorts.has(value))
      result.push(args[at]);
    else {
      result.push(start + value);
      at += 1;
    }
  }
  return result;
}

/** Whether a word is a flag, so that the value before it is missing. A key may begin with two dashes. @param {string} word */
function isFlag(word) {
  return word.startsWith('--') && word.length !== KEY_LENGTH;
}

/** @param {unknown} path @returns {Record<string, unknown>} */
function readFile(path) {
  if (path === undefined || path === '') return {};
  let text;
  try {
    text = fs.readFileSync(String(path), 'utf8');
  } catch (error) {
    throw new Usage(`cannot read the config file: ${/** @type {Error} */ (error).message}`);
  }
  try {
    const value = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch (error) {
    throw new Usage(`the config file ${path} is not JSON${placeOf(/** @type {Error} */ (error))}`);
  }
  throw new Usage(`the config file ${path} must contain one JSON object`);
}

/**
 * The position of a parse error. The rest of the message may quote the file, which may contain a secret.
 * @param {Error} error
 */
function placeOf({ message }) {
  const place = / at position \d+/.exec(message);
  return place === null ? '' : `:${place[0].replace(' at', ' look at')}`;
}

/**
 * @param {Option} option
 * @param {unknown} value text from the command line or the environment
 * @param {string} where
 */
function convert({ type, words }, value, where) {
  switch (type) {
    case 'number': {
      if (words?.includes(String(value))) return value;
      const number = Number(value);
      if (String(value).trim() === '' || Number.isNaN(number))
        throw new Usage(`${where} must be ${['a number', ...(words ?? [])].join(' or ')}, got "${value}"`);
      return number;
    }
    case 'octal':
      return octal(value, where);
    case 'flag':
      if (typeof value === 'boolean') return value;
      if (value === '1' || value === 'true') return true;
      if (value === '0' || value === 'false') return false;
      throw new Usage(`${where} must be 1 or 0, got "${value}"`);
    case 'list': {
      const texts = Array.isArray(value) ? value : [value];
      return texts.flatMap((text) => String(text).split(','));
    }
    default:
      return value;
  }
}

/** A mode in the notation of `chmod`. @param {unknown} value @param {string} where */
function octal(value, where) {
  if (/^(0o)?[0-7]{1,4}$/.test(String(value))) return Number.parseInt(String(value).replace('0o', ''), 8);
  throw new Usage(`${where} must be an octal number such as 660, got "${value}"`);
}

/** @param {Option} option @param {unknown} value @param {string} key */
function fromFile({ type, words }, value, key) {
  if (words?.includes(String(value))) return value;
  if (type === 'octal') return octal(value, `"${key}" in the config file`);
  const wanted = type === 'flag' ? 'boolean' : type;
  if (type === 'list') {
    if (typeof value === 'string') return [value];
    if (Array.isArray(value) && value.every((each) => typeof each === 'string')) return value;
    throw new Usage(`"${key}" in the config file must be a string or an array of strings`);
  }
  if (typeof value !== wanted || value === null)
    throw new Usage(`"${key}" in the config file must be a${wanted === 'object' ? 'n' : ''} ${wanted}`);
  return value;
}

/** An error about a value that was written as text: without the parts about the type. @param {string} message */
function ofText(message) {
  return message.replace(', or a Buffer of 32 bytes', '').replace(/ \(string\)$/, '');
}

/** The flag, the variable or the key with which the user has set an option. @param {string} name */
function writtenAs(name) {
  return places.get(name) ?? `--${kebab(name)}`;
}

/** Replaces the names of options by what the user has written. @param {string} message @param {string} endpoint its option */
function asWritten(message, endpoint) {
  return ofText(message.replace(/^endpoint\b/, `option "${endpoint}"`)).replace(
    /option "(\w+)"/g,
    (words, name) => {
      const place = places.get(name);
      if (place !== undefined) return place;
      if (name === endpoint) return `--${name}`;
      const option = OPTIONS.find((each) => each.name === name);
      if (option === undefined || option.flag?.only === 'none' || option.flag?.only === 'file') return words;
      return `--${kebab(name)}${option.flag?.only === 'secret' ? '-file' : ''}`;
    },
  );
}

/**
 * Reports errors of the package's checks of options as errors of the user.
 * @template T
 * @param {() => T} make
 * @param {string} [endpoint] the option that is the endpoint
 * @returns {T}
 */
function checked(make, endpoint = 'broker') {
  try {
    return make();
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError)
      throw new Usage(asWritten(error.message, endpoint));
    throw error;
  }
}

/** @param {number | undefined} count that of --count, if given */
function checkCount(count) {
  if (count === undefined || (Number.isInteger(count) && count >= 1)) return;
  throw new Usage(`${writtenAs('count')} must be an integer from 1, got "${count}"`);
}

exports.checkCount = checkCount;
exports.checked = checked;
exports.ofText = ofText;
exports.readSettings = readSettings;
exports.writtenAs = writtenAs;
