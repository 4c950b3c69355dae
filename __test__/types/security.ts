import {
  type AuthenticatingPeer,
  Broker,
  Client,
  curveKeyPair,
  type hashPassword,
  type Refusals,
  type SecurityRules,
  Worker,
} from '../../index.js';
import { type Equal, expectType } from './expect.js';

const { publicKey, secretKey } = curveKeyPair();
expectType<Equal<typeof publicKey, string>>();
const rules: SecurityRules = {
  users: {
    web: { keys: [publicKey, Buffer.alloc(32)], call: ['a.*', 'b'] },
    worker: { keys: publicKey, serve: 'a.*' },
    '*': { call: 'public' },
  },
  authenticate: async (peer) => {
    expectType<Equal<typeof peer, AuthenticatingPeer>>();
    return peer.mechanism === 'curve' && { userId: 'x', metadata: { any: 'thing' } };
  },
  authorize: ({ user, action, service }) => user === service && action === 'call',
};
const broker = new Broker('tcp://*:5555', { curveServer: true, curveSecretKey: secretKey, security: rules });
broker.allow({ users: { web: { password: 'x' } } });
// @ts-expect-error
broker.allow({ users: { web: { key: publicKey } } });
expectType<Equal<typeof broker.refusals, Refusals>>();
broker.on('peerRefused', ({ reason, publicKey: key }) => [reason.length, key?.length]);
broker.on('denied', ({ user, action }) => user + action);
expectType<Equal<ReturnType<typeof hashPassword>, Promise<string>>>();

const peer = { curveServerKey: publicKey, curvePublicKey: publicKey, curveSecretKey: secretKey };
new Client('tcp://x:5555', peer);
const worker = new Worker('tcp://x:5555', 's', { ...peer, concurrency: 2 });
worker.on('request', (_data, reply, opts) => reply.end(opts.user?.length));
new Client('tcp://x:5555', { plainUsername: 'u', plainPassword: 'p' });
// @ts-expect-error of the broker
new Client('tcp://x:5555', { curveServer: true });
