'use strict';

/** The interval at which stdout is examined, in ms. */
const INTERVAL = 100;

/** The errors of a write to a pipe without a reader. */
const GONE = new Set(['EPIPE', 'ERR_STREAM_DESTROYED']);

/**
 * Calls `end` once when no process reads stdout any more, or it cannot be written. A write would fail then, but a command
 * that waits for the broker has nothing to write.
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

/**
 * Reports the first write to stdout that fails, as on a full disk. A pipe that has lost its reader is no failure.
 * @param {(message: string) => void} report
 */
function onWriteFailure(report) {
  let isReported = false;
  process.stdout.on('error', (/** @type {NodeJS.ErrnoException} */ error) => {
    if (isReported || GONE.has(String(error.code))) return;
    isReported = true;
    report(`cannot write the output: ${error.message.replace(/, write$/, '')}`);
  });
}

exports.onReaderGone = onReaderGone;
exports.onWriteFailure = onWriteFailure;
