'use strict';
// The flags, the help and the `conf` that the commands derive from the table of options.

const { optionsOf } = require('../option-table');
const { Usage } = require('./failure');
const { kebab, variable } = require('./names');
const { readSecret } = require('./secrets');
const { ofText } = require('./settings');

/** @import { Option, Role } from '../option-table/option' */
/** @import { Option as Setting, Options as Settings } from './settings' */

/** The type of setting for each type of option. @type {Partial<Record<Option['type'], Setting['type']>>} */
const TYPES = {
  number: 'number',
  integer: 'number',
  deadline: 'number',
  retry: 'number',
  boolean: 'flag',
  protocols: 'list',
  rules: 'object',
  policies: 'object',
};

/** The placeholders of values in the help. */
const UNITS = { ms: 'MS', µs: 'US', bytes: 'BYTES' };
/** @type {Partial<Record<Option['type'], string>>} */
const METAVARS = { number: 'N', integer: 'N', retry: 'N', boolean: '', protocol: 'NAME', protocols: 'LIST' };

/** @param {Option} option */
function isSecret({ flag }) {
  return flag?.only === 'secret';
}

/** @param {Role} role @returns {Option[]} */
function flagged(role) {
  return optionsOf(role).filter(({ flag }) => flag?.only !== 'none');
}

/**
 * The settings for the options of a role that the command line supports.
 * @param {Role} role
 * @returns {Settings}
 */
function settingsOf(role) {
  /** @type {Settings} */
  const settings = {};
  for (const option of flagged(role)) {
    const { auto, name, flag, type } = option;
    const words = auto === undefined ? undefined : ['auto'];
    const written = flag?.octal ? 'octal' : (TYPES[type] ?? 'string');
    const setting = { type: written, words, ...(flag?.short && { short: flag.short }) };
    if (isSecret(option)) {
      // Not a command-line argument, because every user of the machine can read those.
      settings[name] = { type: 'string', from: ['environment', 'file'] };
      settings[`${name}File`] = { type: 'string' };
    } else if (flag?.only === 'file') settings[name] = { ...setting, from: ['file'] };
    else settings[name] = setting;
  }
  return settings;
}

/** @param {Option} option @returns {string} */
function metavarOf({ flag, type, unit }) {
  return flag?.metavar ?? (unit === undefined ? (METAVARS[type] ?? 'TEXT') : UNITS[unit]);
}

/**
 * @param {string | undefined} short
 * @param {string} long
 * @param {string} metavar
 * @param {string} text
 * @returns {string} one line or two of the help
 */
function helpLine(short, long, metavar, text) {
  const start = `  ${short === undefined ? '   ' : `-${short},`} --${long}${metavar && ` ${metavar}`}`;
  return start.length < 28 ? `${start.padEnd(28)}${text}\n` : `${start}\n${' '.repeat(28)}${text}\n`;
}

/** @param {Option} option @returns {string} */
function helpOf(option) {
  const { flag, help, name, off, value } = option;
  if (flag?.only === 'file') return '';
  if (isSecret(option)) return helpLine(undefined, `${kebab(name)}-file`, 'FILE', `${help}, in this file`);
  const given = option.default ?? (typeof value === 'boolean' ? undefined : value);
  const notes = (off !== undefined && given === -1 ? [off] : [given, off && `-1: ${off}`])
    .filter((note) => note !== undefined)
    .join('; ');
  return helpLine(flag?.short, kebab(name), metavarOf(option), notes === '' ? help : `${help} (${notes})`);
}

/**
 * @param {Role} role
 * @param {Record<string, unknown>} [defaults] those of a command that differ from the role's
 * @returns {string} the lines of the help for its options
 */
function helpFor(role, defaults = {}) {
  return flagged(role)
    .map((option) =>
      helpOf(Object.hasOwn(defaults, option.name) ? { ...option, value: defaults[option.name] } : option),
    )
    .join('');
}

/**
 * @param {Role} role
 * @param {Record<string, any>} settings
 * @returns {Record<string, any>} the given options of the role
 */
function confOf(role, settings) {
  const conf = flagged(role).map((option) => [option.name, givenFor(option, settings)]);
  return Object.fromEntries(conf.filter(([, value]) => value !== undefined));
}

/** @param {Option} option @param {Record<string, any>} settings */
function givenFor(option, settings) {
  const { name } = option;
  const file = isSecret(option) ? settings[`${name}File`] : undefined;
  if (file === undefined) return settings[name];
  if (settings[name] !== undefined)
    throw new Usage(`"${name}" and "${name}File" are both given; only one is allowed`);
  const flag = `--${kebab(name)}-file`;
  const secret = readSecret(file, flag);
  if (option.type !== 'key') return secret;
  // Errors name the flag, because the user did not write the option's own name.
  const { checkKey } = require('../keys');
  try {
    return checkKey(secret, `the content of the file of ${flag}`);
  } catch (error) {
    throw new Usage(ofText(/** @type {Error} */ (error).message));
  }
}

/** The settings of commands that log. @type {Settings} */
const LOG_SETTINGS = {
  verbose: { type: 'flag', short: 'V' },
  debug: { type: 'flag', short: 'D' },
  logFormat: { type: 'string' },
};

/**
 * @param {string} verbose what it logs
 * @param {string} debug
 * @returns {string} the lines of the help for these settings
 */
function logHelp(verbose, debug) {
  return (
    helpLine('V', 'verbose', '', verbose) +
    helpLine('D', 'debug', '', debug) +
    helpLine(undefined, 'log-format', 'FORMAT', 'plain or json, one line per entry, to stderr (plain)')
  );
}

/**
 * A role's flags in the documents.
 * @param {Role} role
 * @returns {{ option: Option, flag: string, variable: string }[]}
 */
function shownFor(role) {
  const shown = flagged(role).filter(({ flag }) => flag?.only !== 'file');
  return shown.map((option) => {
    const secret = isSecret(option);
    const name = secret ? `${option.name}File` : option.name;
    const metavar = secret ? 'FILE' : metavarOf(option);
    const short = option.flag?.short === undefined ? '' : `\`-${option.flag.short}\`, `;
    const flag = `${short}\`--${kebab(name)}${metavar && ` ${metavar}`}\``;
    return { option, flag, variable: `\`${variable(name)}${metavar === '' ? '=1' : ''}\`` };
  });
}

exports.LOG_SETTINGS = LOG_SETTINGS;
exports.confOf = confOf;
exports.helpFor = helpFor;
exports.helpLine = helpLine;
exports.logHelp = logHelp;
exports.settingsOf = settingsOf;
exports.shownFor = shownFor;
