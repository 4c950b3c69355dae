// biome-ignore-all lint: written in the style of 0.0.92
// Code for zmq-omdp 0.0.92, unchanged. Comments describe the differences in behaviour.
//
//   node examples/migrate-0.0.92.js
'use strict';

var omdp = require('zmq-omdp');

var ENDPOINT = process.env.OMDP_ENDPOINT || 'tcp://127.0.0.1:55555';

// All options take effect; 0.0.92 used only the first one.
var broker = new omdp.Broker(ENDPOINT, { heartbeat: 1000, name: 'the-broker' });

broker.start(function (err) {
  // If the port is in use, the callback gets an error with a code.
  if (err) {
    console.log('BROKER', err.code);
    process.exit(1);
  }
  console.log('BROKER started');
});

var worker = new omdp.Worker(ENDPOINT, 'echo', { heartbeat: 1000, reconnect: 50 });

worker.on('error', function (e) {
  console.log('WORKER ERROR', e);
});

worker.on('request', function (inp, rep) {
  // The argument of reply.error() reaches the client's final callback unchanged, even 0 and ''.
  if (inp === 'fail') {
    rep.error({ code: 'EFAIL', message: 'as asked' });
    return;
  }

  var count = 0;
  var timer = setInterval(function () {
    rep.heartbeat(); // optional, as before
    // True while the client waits. In 0.0.92 it became false after three heartbeats.
    if (!rep.active()) {
      clearInterval(timer);
      console.log('WORKER nobody waits');
      rep.end();
      return;
    }
    count++;
    if (count < 4) {
      rep.write(inp + ' partial ' + count);
      return;
    }
    clearInterval(timer);
    rep.end(inp + ' final');
    console.log('WORKER ended', rep.ended);
  }, 10);
});

worker.start();

var client = new omdp.Client(ENDPOINT, { heartbeat: 1000, timeout: 60000 });
client.start();

client.on('error', function (e) {
  console.log('CLIENT ERROR', e);
});

// The order of starts does not matter: requests wait for the broker.
client.request(
  'echo',
  'foo',
  function (err, data) {
    console.log('PARTIAL', err, data);
  },
  function (err, data) {
    console.log('END', err, data);
    viaOneParameter();
  },
  { timeout: 5000 },
);

// The form of the old README: a partial callback with one parameter.
function viaOneParameter() {
  client.request(
    'echo',
    'bar',
    function (data) {
      console.log('partial data', data);
    },
    function (err, data) {
      console.log('final data', data);
      viaStream();
    },
  );
}

function viaStream() {
  var req = client.requestStream('echo', 'baz', { timeout: -1 });
  req.on('data', function (data) {
    console.log('STREAM', data);
  });
  req.on('end', function () {
    failing();
  });
}

function failing() {
  client
    .request('echo', 'fail', undefined, function (err) {
      console.log('END', err);
      timingOut();
    })
    .on('error', function (err) {
      console.log('STREAM ERROR', err.code);
    });
}

// In 0.0.92 this ended the process.
function timingOut() {
  client.request(
    'nobody-serves-this',
    'foo',
    undefined,
    function (err) {
      console.log('END', err);
      client.stop();
      worker.stop();
      broker.stop();
    },
    { timeout: 100 },
  );
}
