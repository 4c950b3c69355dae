'use strict';
// A broker that admits only known peers: rules for the services that each user may serve and call, a stranger that is
// refused, and a key that is replaced at run time. All roles share a process here. Each of them needs only its own secret
// key and the broker's public key, as examples/security/keys.js creates them.
const { once } = require('node:events');
const { Broker, Client, Worker, curveKeyPair } = require('../..');

const keys = {
  broker: curveKeyPair(),
  prices: curveKeyPair(),
  shop: curveKeyPair(),
  newShop: curveKeyPair(),
  stranger: curveKeyPair(),
};

/** The options of a worker or client. */
const as = ({ publicKey, secretKey }) => ({
  curveServerKey: keys.broker.publicKey,
  curvePublicKey: publicKey,
  curveSecretKey: secretKey,
});

/** The rules: the shop may have two keys while it changes them. */
const rules = (...shopKeys) => ({
  users: {
    prices: { keys: keys.prices.publicKey, serve: 'prices.*' },
    shop: { keys: shopKeys, call: 'prices.*' },
  },
});

async function main() {
  const broker = new Broker('tcp://127.0.0.1:*', {
    curveServer: true,
    curveSecretKey: keys.broker.secretKey,
    security: rules(keys.shop.publicKey),
  });
  broker.on('peerRefused', ({ reason }) => console.log(`broker: refused a peer: ${reason}`));
  broker.on('denied', ({ user, action, service }) =>
    console.log(`broker: ${user} may not ${action} ${service}`),
  );
  await broker.start();
  const [endpoint] = broker.endpoints;

  const worker = new Worker(endpoint, 'prices.books', as(keys.prices));
  worker.on('request', (title, reply, { user }) => reply.end(`${title} costs 12, ${user}`));
  await worker.start();

  const shop = new Client(endpoint, as(keys.shop));
  await shop.start();
  console.log(`shop: ${await shop.call('prices.books', 'Emma')}`);
  await shop.call('payroll', 'all').catch(({ code }) => console.log(`shop: payroll: ${code}`));

  const stranger = new Client(endpoint, as(keys.stranger));
  const [error] = await Promise.all([once(stranger, 'error').then(([first]) => first), stranger.start()]);
  console.log(`stranger: ${error.code}: ${error.reason}`);
  await stranger.stop();

  // A new key for the shop: allow both, start the shop with the new key, then allow only that one.
  broker.allow(rules(keys.shop.publicKey, keys.newShop.publicKey));
  const newShop = new Client(endpoint, as(keys.newShop));
  await newShop.start();
  console.log(`new shop: ${await newShop.call('prices.books', 'Emma')}`);
  await shop.stop();
  broker.allow(rules(keys.newShop.publicKey));
  console.log(`new shop: ${await newShop.call('prices.books', 'Persuasion')}`);

  await newShop.stop();
  await worker.stop();
  await broker.stop();
}

main();
