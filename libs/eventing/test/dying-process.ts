// A replica that a certain event ends: `node main.mjs <database> <log> <service> <group> <n>`. Its handler
// writes each event into the ledger, and kills its own process on the event number `n`.
import 'reflect-metadata';
import { Contracts, defineEvent } from '@aura/contracts';
import { postgresLog } from '@aura/event-log';
import { silentLogger, systemClock } from '@aura/platform';
import { DataSource } from 'typeorm';
import { Consumer } from '../src/consumer/consumer.js';
import { Handlers } from '../src/consumer/handlers.js';
import { UnitsOfWork } from '../src/unit-of-work/units-of-work.js';
import type { Counted } from './service-fixture.js';

const [databaseUrl = '', logUrl = '', service = '', group = '', deadly = ''] = process.argv.slice(2);

/** As `SpecEvents` defines it. */
const counted = defineEvent<Counted>({
  service,
  version: 1,
  keyField: 'key',
  schema: {
    type: 'record',
    name: 'Counted',
    namespace: 'spec',
    fields: [
      { name: 'key', type: 'string' },
      { name: 'n', type: 'int' },
    ],
  },
});
const contracts = new Contracts({ publishes: [], subscribes: [counted] });
const dataSource = await new DataSource({
  type: 'postgres',
  url: databaseUrl,
  installExtensions: false,
}).initialize();
const units = new UnitsOfWork({ dataSource, contracts, clock: systemClock, onCommitted: () => undefined });
const consumer = new Consumer({
  group,
  log: postgresLog({ url: logUrl }),
  registry: { schemaById: () => Promise.resolve(counted.schema) },
  contracts,
  handlers: new Handlers([
    {
      mode: 'each',
      type: counted,
      name: 'Deadly.note',
      async handle(event, work) {
        const { key, n } = event.payload as Counted;
        if (n === Number(deadly)) process.kill(process.pid, 'SIGKILL');
        await work.manager.query('insert into ledger (key, n, event_id) values ($1, $2, $3)', [
          key,
          n,
          event.id,
        ]);
      },
    },
  ]),
  units: units.context,
  logger: silentLogger,
  limits: { initialBackoffMs: 5, maxBackoffMs: 50, sessionTimeoutMs: 1_000 },
});
await consumer.start();
