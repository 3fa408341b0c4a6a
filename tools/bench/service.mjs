// One service in a process of its own, for hop and idle: `node service.mjs SETTINGS` (JSON), told what to do
// over IPC. Times are those of the machine's monotonic clock, which all processes share.
import { entryType, keyOf, openLog, registryOf, serialOf } from './ground.mjs';
import { answerTo } from './answering.mjs';
import { libraries, packageOf } from './libraries.mjs';

const { name, publisher, reads, writes, databaseUrl, log: logSettings } = JSON.parse(process.argv[2]);

const libs = await libraries();
const { DataSource } = packageOf('eventing', 'typeorm');
const dataSource = await new DataSource({
  type: 'postgres',
  url: databaseUrl,
  poolSize: 10,
  installExtensions: false,
}).initialize();
const type = entryType(libs, publisher);
const log = openLog(libs, logSettings);
const eventing = new libs.Eventing({
  service: name,
  dataSource,
  databaseUrl,
  log,
  registry: registryOf(type),
  contracts: new libs.Contracts({ publishes: writes ? [type] : [], subscribes: reads ? [type] : [] }),
  logger: libs.silentLogger,
});
const INSERT = 'insert into effect (event_id, serial) values ($1, $2)';
const nowMs = () => Number(process.hrtime.bigint()) / 1e6;
const commits = [];
const note = (serial) => commits.push([serial, nowMs()]);

/** One transaction: a row and its event. */
async function raise(n) {
  const serial = serialOf(n);
  await eventing.units.run(async (work) => {
    const { id } = work.raise(type.of({ key: keyOf(n), serial }));
    await work.manager.query(INSERT, [id, serial]);
  });
  note(n);
}

const handler = {
  mode: 'each',
  type,
  name: 'Bench.note',
  async handle({ id, payload: { serial } }, work) {
    await work.manager.query(INSERT, [id, serial]);
    work.afterCommit(() => note(Number(serial)));
  },
};

await eventing.prepare();
await eventing.run([]);
if (reads) await eventing.consume(new libs.Handlers([handler]));

const TOLD = {
  /** At an even pace, whatever the answers take. */
  async raise({ from, count, perSecond }) {
    const begunMs = performance.now();
    const raised = [];
    for (let n = 0; n < count; n++) {
      const waitMs = begunMs + (n * 1_000) / perSecond - performance.now();
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      raised.push(raise(from + n));
    }
    await Promise.all(raised);
  },
  status() {
    const { relay, consumer } = eventing.status();
    const assigned = consumer?.assigned.length ?? 0;
    return { leads: relay.leader, assigned, committed: commits.length };
  },
  commits: () => commits.splice(0),
  cpu: () => process.cpuUsage(),
  async stop() {
    await eventing.stopConsuming();
    await eventing.stopTasks();
    await eventing.stopPublishing();
    await log.close();
    await dataSource.destroy();
  },
};

answerTo(TOLD);
