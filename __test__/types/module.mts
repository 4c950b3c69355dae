import omdp, { type Broker, Client, type Worker } from '../../index.js';

const broker: Broker = new omdp.Broker('inproc://a');
const same: typeof Worker = omdp.Worker;

void [broker, same, Client];
