import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { killBroker, startKafka, startTestKafka } from '@aura/tools/kafka';
import { freePort, postgresStatus, startPostgres, stopPostgres } from '@aura/tools/postgres';
import { settled } from '@aura/testing';

/** A server that a test crashes and brings back, at the same address with the same data. */
export interface OwnServer {
  readonly name: string;
  readonly isBroker?: boolean;
  crash(): Promise<void>;
  start(): Promise<void>;
  /** Ends it and throws its data away. */
  dispose(): Promise<void>;
}

export interface OwnPostgres extends OwnServer {
  readonly url: string;
}

/**
 * A Postgres of one test's own. Its crash is an immediate shutdown: no checkpoint, connections cut,
 * recovery at the next start. fsync is off: the operating system lives on, so what was written stays
 * written.
 */
export async function ownPostgres(name: string): Promise<OwnPostgres> {
  // The prefix of test servers: what a killed test run leaves is swept by the next one.
  const dir = mkdtempSync(join(tmpdir(), 'aura-test-pg-'));
  chmodSync(dir, 0o755); // the server's user must get in
  // Not the usual port: while this server is down, another test's would take it.
  const port = await freePort();
  const { url } = await startPostgres({ dir, port, durable: false });
  return {
    name,
    url,
    async crash() {
      const pid = postgresStatus({ dir })?.pid;
      if (pid === undefined) throw new Error(`${name} does not run`);
      process.kill(pid, 'SIGQUIT');
      await settled(`${name} has stopped`, () => !postgresStatus({ dir })?.running);
    },
    start: async () => void (await startPostgres({ dir, port, durable: false })),
    dispose: async () => void (await stopPostgres({ dir, remove: true })),
  };
}

export interface OwnKafka extends OwnServer {
  readonly brokers: readonly string[];
}

/** A broker of one test's own, without a registry. Its crash is SIGKILL. */
export async function ownKafka(name: string): Promise<OwnKafka> {
  const kafka = await startTestKafka({ registry: false });
  return {
    name,
    isBroker: true,
    brokers: kafka.brokers.split(','),
    crash: async () => void (await kafka.kill()),
    start: async () => void (await startKafka({ dir: kafka.dir, registry: false })),
    dispose: async () => void (await kafka.stop()),
  };
}

export interface AbsentKafka extends OwnKafka {
  readonly registryUrl: string;
}

/**
 * A broker and a registry that are not there yet, at addresses that clients can be given already: `start`
 * starts both for the first time.
 */
export async function absentKafka(name: string): Promise<AbsentKafka> {
  const [port, registryPort] = [await freePort(), await freePort()];
  let kafka: Awaited<ReturnType<typeof startTestKafka>> | undefined;
  return {
    name,
    isBroker: true,
    brokers: [`127.0.0.1:${port}`],
    registryUrl: `http://127.0.0.1:${registryPort}/apis/ccompat/v7`,
    crash: async () => void (await kafka?.kill()),
    start: async () => {
      if (kafka) await startKafka({ dir: kafka.dir });
      else kafka = await startTestKafka({ port, registryPort });
    },
    dispose: async () => void (await kafka?.stop()),
  };
}

/** Three brokers that keep three copies and acknowledge with two: each is a victim of its own. */
export interface OwnCluster {
  readonly brokers: readonly string[];
  readonly servers: readonly OwnServer[];
}

/** A cluster of one test's own, without a registry. A broker's crash is SIGKILL. */
export async function ownCluster(): Promise<OwnCluster> {
  const kafka = await startTestKafka({ registry: false, brokers: 3 });
  return {
    brokers: kafka.brokers.split(','),
    servers: kafka.brokers.split(',').map((_, index) => ({
      name: `broker ${index + 1}`,
      isBroker: true,
      crash: async () => void (await killBroker({ dir: kafka.dir, id: index + 1 })),
      start: async () => void (await startKafka({ dir: kafka.dir, brokers: 3, registry: false })),
      dispose: async () => void (await kafka.stop()), // all of it: the first one that is disposed of
    })),
  };
}
