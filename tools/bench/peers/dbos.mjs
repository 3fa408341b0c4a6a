// DBOS, as its makers document it: a workflow of three steps that do nothing, in a process of its own, called
// there. `node dbos.mjs SETTINGS` (JSON), told what to do over IPC.
import { answerTo } from '../answering.mjs';
import { closedLoad } from '../load.mjs';
import { importFrom } from './installed.mjs';

const { folder, databaseUrl, poolSize } = JSON.parse(process.argv[2]);
const { DBOS } = await importFrom(folder, '@dbos-inc/dbos-sdk');

const step = async () => 'done';
const order = DBOS.registerWorkflow(
  async (n) => {
    for (const name of ['stock', 'payment', 'delivery']) await DBOS.runStep(step, { name });
    return n;
  },
  { name: 'order' },
);
DBOS.setConfig({
  name: 'bench',
  applicationVersion: '1',
  systemDatabaseUrl: databaseUrl,
  systemDatabasePoolSize: poolSize,
  logLevel: 'error',
});
await DBOS.launch();

answerTo({
  load: (how) => closedLoad(async (n) => (await order(n)) === n, how),
  stop: () => DBOS.shutdown(),
});
