'use strict';

/** The flag of an option, without its dashes. @param {string} name @returns {string} */
function kebab(name) {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** The environment variable of an option. @param {string} name @returns {string} */
function variable(name) {
  return `ZMQ_OMDP_${kebab(name).replaceAll('-', '_').toUpperCase()}`;
}

exports.kebab = kebab;
exports.variable = variable;
