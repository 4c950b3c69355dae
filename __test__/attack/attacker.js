'use strict';
// One hostile process, by the name of its scenario.
const { Dealer } = require('zeromq');
const { SCENARIOS } = require('./scenarios');
const { ATTACKER } = require('./tools');

const { endpoint, scenario, scale, lasts, keys = {} } = JSON.parse(process.argv[2]);

async function main() {
  const sockets = [];
  const connect = (routingId, to = endpoint) => {
    const socket = new Dealer({
      linger: 0,
      // So few that a message that was sent is on its way, and not in a queue of this process.
      sendHighWaterMark: 10,
      sendTimeout: 5000,
      receiveHighWaterMark: 10,
      ...keys,
      ...(routingId === undefined ? {} : { routingId }),
    });
    sockets.push(socket);
    socket.connect(to.replace('tcp://', ATTACKER === undefined ? 'tcp://' : `tcp://${ATTACKER}:0;`));
    return socket;
  };
  // A broker that has sent it away does not read any more, which ends the attack.
  const attack = SCENARIOS[scenario].run(connect, scale, endpoint).catch(({ code }) => code);
  const end = new Promise((resolve) => setTimeout(resolve, lasts, 'time'));
  const value = (await Promise.race([attack, end])) ?? null;
  await new Promise((resolve) => setTimeout(resolve, 500));
  console.log(JSON.stringify({ what: 'done', value }));
  // What it has sent is still to be worked off while it is there.
  process.stdin.on('data', () => process.exit());
}

main();
