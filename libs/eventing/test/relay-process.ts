// A relay in a process of its own, so that it can be frozen: `node main.mjs <database> <log>`. Its log takes
// two records at a time, and its time: when it is frozen, more of its records are under way than saved. Says
// a line on stdout whenever it begins or ceases to lead.
import { setTimeout as sleep } from 'node:timers/promises';
import { postgresLog } from '@aura/event-log';
import { silentLogger } from '@aura/platform';
import { Pool } from 'pg';
import { Relay } from '../src/outbox/relay.js';
import { MemoryRegistry, withAppend } from './outbox-kit.js';

const [databaseUrl = '', logUrl = ''] = process.argv.slice(2);
const log = postgresLog({ url: logUrl });
const slow = withAppend(log, async (records) => {
  await sleep(100);
  return log.append(records);
});
const relay = new Relay({
  connection: { connectionString: databaseUrl },
  db: new Pool({ connectionString: databaseUrl, max: 1 }),
  log: slow,
  registry: new MemoryRegistry(),
  source: 'ledger',
  logger: silentLogger,
  limits: { batchRows: 2, appends: 2, heartbeatMs: 100 },
});
await relay.start();
for (let led = false; ; await sleep(20)) {
  const { leader } = relay.status();
  if (leader !== led) process.stdout.write(leader ? 'leads\n' : 'stands by\n');
  led = leader;
}
