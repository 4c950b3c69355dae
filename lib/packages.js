// @ts-nocheck: the packages of other platforms are not installed
'use strict';
// Written by scripts/platforms.js. Each platform package has a literal `require`, because bundlers see no other,
// within `try`, because only there bundlers let a package be missing.

const SUFFIXES = [
  'linux-x64-gnu',
  'linux-x64-musl',
  'linux-arm64-gnu',
  'linux-arm64-musl',
  'darwin-x64',
  'darwin-arm64',
  'win32-x64-msvc',
  'win32-arm64-msvc',
];

/** What the platform package of this machine is, or why it could not be loaded. */
function installed(suffix) {
  try {
    switch (suffix) {
      case 'linux-x64-gnu':
        return { addon: require('zmq-omdp-linux-x64-gnu') };
      case 'linux-x64-musl':
        return { addon: require('zmq-omdp-linux-x64-musl') };
      case 'linux-arm64-gnu':
        return { addon: require('zmq-omdp-linux-arm64-gnu') };
      case 'linux-arm64-musl':
        return { addon: require('zmq-omdp-linux-arm64-musl') };
      case 'darwin-x64':
        return { addon: require('zmq-omdp-darwin-x64') };
      case 'darwin-arm64':
        return { addon: require('zmq-omdp-darwin-arm64') };
      case 'win32-x64-msvc':
        return { addon: require('zmq-omdp-win32-x64-msvc') };
      case 'win32-arm64-msvc':
        return { addon: require('zmq-omdp-win32-arm64-msvc') };
      default:
        return { error: undefined };
    }
  } catch (error) {
    return { error };
  }
}

module.exports = { SUFFIXES, installed };
