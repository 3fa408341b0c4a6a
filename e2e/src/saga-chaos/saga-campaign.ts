/** Sagas under load while their services are killed; then the laws. Tests run short ones, chaos long ones. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kafkaLog, postgresLog, type EventLog } from '@aura/event-log';
import { silentLogger } from '@aura/platform';
import { settled, type Seeded } from '@aura/testing';
import { ensureDatabase } from '@aura/tools/postgres';
import { rowsOf } from '../crash/books.js';
import { openLog } from '../crash/crash-run.js';
import { ownPostgres, type OwnServer } from '../crash/own-servers.js';
import { ServiceProcess } from '../crash/service-process.js';
import { pause } from '../service.js';
import type { LogSettings, Role, ToService } from '../settings.js';
import { caughtUp, leftovers, readBooks, sayAgain, snapshot, trials, type Urls } from './books.js';
import { makePaymentTables } from './cards.js';
import { brokenLaws, type SagaBooks } from './laws.js';
import { KILLED, type SagaLoad } from './services.js';
import { COORDINATOR, SERVICES } from './shop-saga.js';
import { PARTICIPANT_TABLES, SHOP_TABLES } from './tables.js';

const SAID_AGAIN_OF_EACH = 100;
const PATIENCE = { withinMs: 180_000, everyMs: 200 };
/** Processes that share the database of stock. */
const STOCK_REPLICAS = ['stock-1', 'stock-2'];
const PARKED_BY_KILLS = `select count(*)::int as count from aura.letter where error ->> 'name' = '${KILLED}'`;
const REDRIVE_EVERY_MS = 5_000;
const OPEN = 'select count(*)::int as count from aura.saga where ended_at is null';

export interface SagaCampaignOptions {
  readonly log: 'postgres' | 'kafka';
  readonly seconds: number;
  readonly random: Seeded;
  /** Starts, while the coordinator lives. Default 200. */
  readonly perSecond?: number;
  /** On average. Default 2,000. */
  readonly killEveryMs?: number;
  readonly onKill?: (kills: number) => void;
}

export interface SagaVerdict {
  /** One sentence for each way in which a law was broken. */
  readonly broken: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
}

/** The services in processes of their own, two of stock, with a Postgres and a log of their own. */
export class SagaRun {
  #parkedByKills = 0;
  #redrivenMs = -Infinity;

  private constructor(
    readonly urls: Urls,
    readonly services: readonly ServiceProcess[],
    readonly log: EventLog,
    private readonly servers: readonly OwnServer[],
    private readonly folder: string,
  ) {}

  static async open(kind: 'postgres' | 'kafka', load: SagaLoad): Promise<SagaRun> {
    const servers: OwnServer[] = [];
    try {
      const postgres = await ownPostgres('the services’ Postgres');
      servers.push(postgres);
      const urls = await databases(postgres.url);
      const settings = await openLog(kind, servers);
      const folder = mkdtempSync(join(tmpdir(), 'aura-saga-run-'));
      const services = SERVICES.flatMap((name) => {
        const own = { role: roleOf(name), databaseUrl: urls[name], log: settings };
        const its = name === COORDINATOR ? { ...own, load } : own;
        const replicas = name === 'stock' ? STOCK_REPLICAS : [name];
        return replicas.map(
          (replica) => new ServiceProcess({ name: replica, folder, settings: { ...its, replica } }),
        );
      });
      for (const service of services) service.start();
      return new SagaRun(urls, services, clientOf(settings), servers, folder);
    } catch (error) {
      await Promise.allSettled(servers.map((server) => server.dispose()));
      throw error;
    }
  }

  /** Resolves when every service has started. */
  async up(): Promise<void> {
    await settled('all are up', () => this.services.every(({ isReady }) => isReady), PATIENCE);
  }

  /** Resolves when so many sagas have been started. */
  async begun(count: number): Promise<void> {
    const sql = 'select count(*)::int as count from purchase';
    await settled(`${count} sagas begun`, async () => (await this.#count(sql)) >= count, PATIENCE);
  }

  /** Kills a service at a time, and starts it again at once. */
  async storm({ seconds, random, onKill, killEveryMs = 2_000 }: SagaCampaignOptions): Promise<number> {
    const endMs = performance.now() + seconds * 1_000;
    let kills = 0;
    while (performance.now() + killEveryMs < endMs) {
      await pause(killEveryMs / 2 + random.int(killEveryMs));
      const victim = random.pick(this.services);
      await victim.kill();
      victim.start();
      kills++;
      onKill?.(kills);
    }
    return kills;
  }

  /** No saga is open, and nothing is under way. What stays open the laws name better than this wait. */
  async quiet(): Promise<void> {
    const isQuiet = async (): Promise<boolean> =>
      (await this.#redriveKilled()) === 0 &&
      (await this.#count(OPEN)) === 0 &&
      (await leftovers(this.urls)).length === 0 &&
      (await caughtUp(this.urls, this.log));
    await settled('all is quiet', isQuiet, PATIENCE).catch(() => undefined);
  }

  /** Of events that kills from outside have parked, and an operator had tried again. */
  get parkedByKills(): number {
    return this.#parkedByKills;
  }

  stopLoad(): void {
    this.#tellCoordinator('stop-load');
  }

  /** Says old records again; gives what changed by it (S7). */
  async again(random: Seeded): Promise<{ said: number; broken: string[] }> {
    const before = await snapshot(this.urls);
    const said = await sayAgain(this.log, random, SAID_AGAIN_OF_EACH);
    await this.quiet();
    const after = await snapshot(this.urls);
    const changed = [...before].filter(([table, sum]) => after.get(table) !== sum);
    return { said, broken: changed.map(([table]) => `S7: ${table} changed when old records came again`) };
  }

  books(): Promise<SagaBooks> {
    return readBooks(this.urls, this.log);
  }

  /** Since the databases were made. */
  async deadlocks(): Promise<number> {
    return this.#count('select coalesce(sum(deadlocks), 0)::int as count from pg_stat_database');
  }

  /** Ends everything; the logs stay where it did not go well. */
  async close(wentWell: boolean): Promise<void> {
    await Promise.allSettled(this.services.map((service) => service.kill()));
    await this.log.close();
    await Promise.allSettled(this.servers.map((server) => server.dispose()));
    if (wentWell) rmSync(this.folder, { recursive: true, force: true });
    else console.error(`the logs of the services are in ${this.folder}`);
  }

  /**
   * Three kills from outside during one and the same event park it (ADR 0010), and its saga with it: a vote
   * is an ordinary event of its coordinator. Gives how many wait; an operator has them tried again.
   */
  async #redriveKilled(): Promise<number> {
    const count = await this.#count(PARKED_BY_KILLS);
    const nowMs = performance.now();
    if (count === 0 || nowMs < this.#redrivenMs + REDRIVE_EVERY_MS) return count;
    this.#redrivenMs = nowMs;
    this.#parkedByKills += count;
    this.#tellCoordinator('redrive');
    return count;
  }

  #tellCoordinator(what: ToService): void {
    for (const service of this.services) if (service.name === COORDINATOR) service.tell(what);
  }

  async #count(sql: string): Promise<number> {
    const [row] = await rowsOf<{ count: number }>(this.urls[COORDINATOR], sql);
    return row?.count ?? 0;
  }
}

export async function sagaCampaign(options: SagaCampaignOptions): Promise<SagaVerdict> {
  const { log, perSecond = 200, random } = options;
  const run = await SagaRun.open(log, { perSecond, seed: random.seed });
  let wentWell = false;
  try {
    await run.up();
    await run.begun(20);
    const beganMs = performance.now();
    const kills = await run.storm(options);
    run.stopLoad();
    const loadMs = performance.now() - beganMs;
    await run.quiet();
    const quietMs = performance.now() - beganMs - loadMs;
    const { said, broken } = await run.again(random);
    const books = await run.books();
    const deaths = run.services.flatMap((service) => service.deaths);
    const all = [...brokenLaws(books), ...broken, ...deaths];
    const tried = await trials(run.urls);
    wentWell = all.length === 0;
    const times = {
      kills,
      'parked by kills': run.parkedByKills,
      'records said again': said,
      'seconds until all had ended': Math.round(quietMs / 1_000),
    };
    const rate = Math.round((books.sagas.length * 1_000) / loadMs);
    return { broken: all, counts: { ...counted(books), ...tried, 'started per second': rate, ...times } };
  } finally {
    await run.close(wentWell);
  }
}

function counted({ sagas }: SagaBooks): Record<string, number> {
  const ends = Map.groupBy(
    sagas,
    ({ phase, code }) => phase.toLowerCase() + (code === null ? '' : `: ${code}`),
  );
  const byEnd = [...ends]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([end, of]) => [end, of.length] as const);
  return { started: sagas.length, ...Object.fromEntries(byEnd) };
}

async function databases(server: string): Promise<Urls> {
  const urls: Record<string, string> = {};
  for (const name of SERVICES) {
    const url = await ensureDatabase(server, { name });
    urls[name] = url;
    if (name === 'payments') await makePaymentTables(url);
    else await rowsOf(url, name === COORDINATOR ? SHOP_TABLES : PARTICIPANT_TABLES[name]);
  }
  return urls as Urls;
}

function roleOf(name: (typeof SERVICES)[number]): Role {
  if (name === COORDINATOR) return 'shop';
  return name === 'payments' ? name : `participant ${name}`;
}

function clientOf(settings: LogSettings): EventLog {
  const logger = silentLogger;
  return settings.kind === 'kafka'
    ? kafkaLog({ brokers: [...settings.brokers], clientId: 'books', logger })
    : postgresLog({ url: settings.url, applicationName: 'books', logger });
}
