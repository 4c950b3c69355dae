'use strict';
// The check of published binaries recognises one whose crates were optimised one by one.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { binaryPath, built } = require('../../scripts/addon.js');
const { faultsOf } = require('../../scripts/inspect.js');
const { hostPlatform } = require('../../scripts/platforms.js');

const FAULT = 'was not optimised across crates';

test('a debug build is recognised as not optimised across crates, and a release build is not', (t) => {
  const profile = built();
  const platform = hostPlatform();
  if (!profile || !platform) return t.skip('there is no binary of the present sources');
  const { faults } = faultsOf(binaryPath(), platform);
  assert.equal(faults.includes(FAULT), profile === 'debug');
});
