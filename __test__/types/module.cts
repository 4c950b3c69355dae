import omdp = require('../../index.js');

const broker: omdp.Broker = new omdp.Broker('inproc://a');
const worker: omdp.Worker<number> = new omdp.Worker<number>('inproc://a', 'service');
const client: omdp.Client = new omdp.Client('inproc://a');
const peer: omdp.Peer<omdp.PeerEvents> = client;

void [broker, worker, client, peer];
