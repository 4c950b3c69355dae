// @ts-nocheck: the packages of other platforms are not installed
'use strict';
// Written by scripts/platforms.js. Each platform package has a literal `require`, because bundlers see no other.

module.exports = {
  'linux-x64-gnu': () => require('zmq-omdp-linux-x64-gnu'),
  'linux-x64-musl': () => require('zmq-omdp-linux-x64-musl'),
  'linux-arm64-gnu': () => require('zmq-omdp-linux-arm64-gnu'),
  'linux-arm64-musl': () => require('zmq-omdp-linux-arm64-musl'),
  'darwin-x64': () => require('zmq-omdp-darwin-x64'),
  'darwin-arm64': () => require('zmq-omdp-darwin-arm64'),
  'win32-x64-msvc': () => require('zmq-omdp-win32-x64-msvc'),
  'win32-arm64-msvc': () => require('zmq-omdp-win32-arm64-msvc'),
};
