'use strict';
// A broker in a separate process; see index.js.
const { Broker } = require('zmq-omdp');

const broker = new Broker(process.argv[2] ?? 'tcp://127.0.0.1:*');
broker.start(() => process.send(broker.endpoints[0]));
// The other process has ended.
process.once('disconnect', () => broker.stop());
