'use strict';

/** The interval at which stdout is examined, in ms. */
const INTERVAL = 100;

/**
 * Calls `end` once when no process reads stdout any more. A write would fail then, but a command that waits for the
 * broker has nothing to write.
 * @param {() => void} end
 * @returns {() => void} ends the watch
 */
function onReaderGone(end) {
  const { hasReader } = require('../load');
  const { stdout } = process;
  const release = () => {
    clearInterval(timer);
    stdout.off('error', gone);
  };
  const gone = () => {
    release();
    end();
  };
  const timer = setInterval(() => {
    if (!hasReader(1)) gone();
  }, INTERVAL);
  timer.unref();
  stdout.on('error', gone);
  return release;
}

exports.onReaderGone = onReaderGone;
