// One service of the bench of sagas in a process of its own: `node saga-service.mjs SETTINGS` (JSON), told
// what to do over IPC. `shop` starts sagas of three branches; each branch belongs to another service, whose
// participant does nothing but say yes, or no where it is asked for `no`.
import { openLog, reachableBytes } from './ground.mjs';
import { answerTo } from './answering.mjs';
import { libraries, packageOf } from './libraries.mjs';
import { closedLoad, isAmong } from './load.mjs';

const { name, shop, owners, databaseUrl, registryUrl, log: logSettings } = JSON.parse(process.argv[2]);

const libs = await libraries();
const { DataSource } = packageOf('eventing', 'typeorm');
const dataSource = await new DataSource({
  type: 'postgres',
  url: databaseUrl,
  poolSize: 20,
  installExtensions: false,
}).initialize();

const hold = (service) =>
  libs.defineBranch({
    service,
    kind: 'reservable',
    coordinators: [shop],
    version: 1,
    schema: {
      type: 'record',
      name: 'Hold',
      namespace: service,
      fields: [
        { name: 'answer', type: 'string' },
        { name: 'reference', type: 'string' },
      ],
    },
  });

const order = owners.reduce(
  (saga, owner) => saga.branch(owner.split('_')[0], hold(owner), (input) => input),
  libs.saga('order', 1).within({ prepareMs: 60_000 }),
);
const vote = ({ input }) =>
  input.answer === 'no' ? libs.refused('sold-out', 'none is left') : libs.prepared();
const participant = {
  prepare: async (ask) => vote(ask),
  commit: async () => undefined,
  cancel: async () => undefined,
  prepareAll: async (asks) => asks.map(vote),
  commitAll: async () => undefined,
  cancelAll: async () => undefined,
};
const logger = libs.silentLogger;
const log = openLog(libs, logSettings);
const registry = new libs.PostgresRegistry({ database: registryUrl });
const sagas = new libs.Sagas(
  name === shop
    ? { service: name, logger, coordinates: [order] }
    : { service: name, logger, participates: [{ type: hold(name), participant: () => participant }] },
);
const { publishes, subscribes } = sagas;
const eventing = new libs.Eventing({
  service: name,
  dataSource,
  databaseUrl,
  log,
  registry,
  contracts: new libs.Contracts({ publishes, subscribes }),
  logger,
});
await eventing.prepare();
await sagas.prepare(eventing);
await eventing.run(sagas.tasks());
await eventing.consume(new libs.Handlers(sagas.handlers()));
sagas.start();

const { trace } = packageOf('platform', '@opentelemetry/api');
const tracer = trace.getTracer('bench');

/**
 * One saga, from its start to its decision, in a trace that begins here, as a request's would: whether it was
 * decided as it should be.
 */
const buy = (n, fails) =>
  tracer.startActiveSpan('buy', { root: true }, async (span) => {
    const input = { answer: fails ? 'no' : 'yes', reference: `order-${n}` };
    const decided = await sagas.outcome(await sagas.submit(order, input), { withinMs: 60_000 });
    span.end();
    return decided?.phase.startsWith(fails ? 'ABORT' : 'COMMITT') === true;
  });

const TOLD = {
  load: ({ fail, ...how }) => closedLoad((n) => buy(n, isAmong(n, fail)), how),
  status() {
    const { relay, consumer } = eventing.status();
    return { leads: relay.leader, assigned: consumer?.assigned.length ?? 0 };
  },
  /** Sagas that have not ended. */
  async open() {
    const { rows } = await eventing.pool.query(
      'select count(*)::int as open from aura.saga where ended_at is null',
    );
    return rows[0].open;
  },
  cpu: () => process.cpuUsage(),
  rss: () => process.memoryUsage.rss(),
  heap: reachableBytes,
  /** Sends the spans that wait to be sent; nothing where tracing is off. */
  flush: async () => trace.getTracerProvider().getDelegate().forceFlush?.(),
  async stop() {
    await eventing.stopConsuming();
    await sagas.stop();
    await eventing.stopTasks();
    await eventing.stopPublishing();
    await log.close();
    await registry.close();
    await dataSource.destroy();
  },
};

answerTo(TOLD);
