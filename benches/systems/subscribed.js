'use strict';
// As `observed`, and the channels of requests and handlings have subscribers.
const observed = require('./observed.js');

const seen = { requests: 0, handlings: 0 };

/** @param {string} name @param {'requests' | 'handlings'} what */
function subscribe(name, what) {
  const { tracingChannel } = require('node:diagnostics_channel');
  tracingChannel(name).subscribe({
    start() {},
    end() {},
    asyncStart() {},
    asyncEnd({ duration }) {
      if (duration >= 0) seen[what] += 1;
    },
    error() {},
  });
}

module.exports = {
  ...observed,
  name: 'subscribed',
  title: 'zmq-omdp 1.0, observed, with subscribers',

  worker(conf, tally) {
    subscribe('zmq-omdp.handle', 'handlings');
    return observed.worker(conf, tally);
  },
  client(conf) {
    subscribe('zmq-omdp.request', 'requests');
    return observed.client(conf);
  },
};
