// A service of Restate, as its makers document it: a handler of three durable steps that do nothing, in a
// process of its own, called there through the server. `node restate.mjs SETTINGS` (JSON), told over IPC.
import { answerTo } from '../answering.mjs';
import { jsonClient } from '../json-client.mjs';
import { closedLoad } from '../load.mjs';
import { importFrom } from './installed.mjs';

const { folder, ingressUrl, adminUrl, serverPid } = JSON.parse(process.argv[2]);
const restate = await importFrom(folder, '@restatedev/restate-sdk');

const order = restate.service({
  name: 'order',
  handlers: {
    async buy(ctx, n) {
      for (const name of ['stock', 'payment', 'delivery']) await ctx.run(name, async () => 'done');
      return n;
    },
  },
});
const port = await restate.serve({ services: [order], port: 0 });
const registered = await fetch(`${adminUrl}/deployments`, {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ uri: `http://127.0.0.1:${port}` }),
});
if (!registered.ok) throw new Error(`it was not registered: ${registered.status} ${await registered.text()}`);
const ingress = jsonClient(ingressUrl);

async function buy(n) {
  const { status, body } = await ingress.post('/order/buy', n);
  return status === 200 && body === n;
}

// The server must not outlive a bench that was killed.
process.on('exit', () => process.kill(serverPid, 'SIGTERM'));
answerTo({
  load: (how) => closedLoad(buy, how),
  stop: () => ingress.close(),
});
