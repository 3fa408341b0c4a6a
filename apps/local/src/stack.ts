import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { InvariantError, TerminalError } from '@aura/platform';
import { givenJaeger } from '@aura/tools/jaeger';
import type { DemoOptions } from './options.js';
import { kafka, postgres, SHOP_SERVICES, type ServiceName, type StartedPostgres } from './servers.js';
import { ServicesFile } from './services-file.js';
import {
  freePort,
  inProcesses,
  inThisProcess,
  whenReady,
  type StartedService,
  type Starter,
} from './services.js';

/** Where a browser finds the gateway, unless somebody else listens there. */
const USUAL_PORT = 8_420;

/**
 * Jaeger doubts the clocks of processes whose host it does not know by this name. And what a purchase did in
 * payments is sent long before payments is killed in the middle of the next one.
 */
const TRACED = {
  OTEL_RESOURCE_ATTRIBUTES: process.env['OTEL_RESOURCE_ATTRIBUTES'] ?? 'ip=127.0.0.1',
  OTEL_BSP_SCHEDULE_DELAY: process.env['OTEL_BSP_SCHEDULE_DELAY'] ?? '50',
};

/**
 * Everything that the demo starts, part by part, each saying in words how it went. `stop` ends it all, the
 * last one first; safe to call whatever has been started.
 */
export class Stack {
  readonly #stops: (() => Promise<void>)[] = [];
  readonly #services = new Map<ServiceName, StartedService>();
  readonly #ports = new Map<ServiceName, number>();
  readonly #starter: Starter;
  /** Always a process of its own: one purchase shows what becomes of it when it is killed. */
  readonly #paymentsStarter: Starter;
  readonly #file: ServicesFile;
  /** Where the data is, in words. */
  readonly places: string[] = [];
  readonly logFolder: string;
  #postgres: StartedPostgres | undefined;
  #logSettings: Readonly<Record<string, string>> = {};

  constructor(
    private readonly options: DemoOptions,
    private readonly signal: AbortSignal,
  ) {
    this.logFolder = resolve(options.dir, 'logs');
    this.#file = new ServicesFile(options.dir, secretFile(options.dir));
    const { logFolder } = this;
    this.#paymentsStarter = inProcesses(logFolder, options.processes ? process.env : withoutSettings());
    // A collector takes a process for a service: one that has all of them would be the gateway alone.
    const apart = options.processes || tracesEndpoint() !== undefined;
    this.#starter = apart ? this.#paymentsStarter : inThisProcess(logFolder);
  }

  async startPostgres(): Promise<string> {
    const server = await postgres(this.options);
    this.#stops.unshift(() => server.stop());
    this.#postgres = server;
    this.places.push(...server.places);
    this.#logSettings = { AURA_LOG_KIND: 'postgres', AURA_LOG_URL: server.logUrl };
    return server.words;
  }

  async startKafka(): Promise<string> {
    const server = await kafka(this.options, this.signal);
    this.#stops.unshift(() => server.stop());
    this.places.push(...server.places);
    this.#logSettings = server.log;
    return server.words;
  }

  /** Also again, after `stopService` or `killService`: at the same address, with the same database. */
  async startService(name: ServiceName): Promise<string> {
    try {
      return await this.#start(name);
    } catch (error) {
      if (!(await this.#lostItsPort(name))) throw error;
      return this.#start(name);
    }
  }

  async #start(name: ServiceName): Promise<string> {
    const port = await this.#portOf(name);
    const settings = await this.#settingsOf(name);
    const starter = name === 'payments' ? this.#paymentsStarter : this.#starter;
    const service = await starter.start(name, port, settings);
    if (!this.#services.has(name)) this.#stops.unshift(() => this.stopService(name));
    this.#services.set(name, service);
    this.#file.write(this.urls());
    await whenReady(service, this.signal);
    return `ready at ${service.url}`;
  }

  /** The four services of a purchase, all at the same time; `show` is told as each is there. */
  async startShop(show: (name: ServiceName, words: string) => void): Promise<string> {
    const starts = SHOP_SERVICES.map(async (name) => show(name, await this.startService(name)));
    // Each is waited for, so that `stop` knows all that was started.
    for (const start of await Promise.allSettled(starts)) if (start.status === 'rejected') throw start.reason;
    return 'ready, each with a database of its own';
  }

  async stopService(name: ServiceName): Promise<void> {
    await this.#services.get(name)?.stop();
  }

  /** `kill -9`; gives the id of the process. */
  async killService(name: 'payments'): Promise<number> {
    const service = this.#services.get(name);
    if (!service?.kill) throw new InvariantError(`${name} has no process of its own that could be killed`);
    return service.kill();
  }

  urlOf(name: ServiceName): string {
    return this.#services.get(name)?.url ?? '';
  }

  urls(): Record<string, string> {
    return Object.fromEntries([...this.#services].map(([name, { url }]) => [name, url]));
  }

  async stop(): Promise<void> {
    if (this.#services.size > 0) this.#file.remove();
    for (const stop of this.#stops.splice(0)) await stop();
  }

  /** Chosen before it is used: the gateway is told where services will be that start after it. */
  async #portOf(name: ServiceName): Promise<number> {
    for (;;) {
      const known = this.#ports.get(name);
      if (known !== undefined) return known;
      const port = await (name === 'gateway' ? this.#gatewayPort() : freePort());
      // The system may give the port of one that does not listen yet; and others choose meanwhile.
      if (!this.#ports.has(name) && ![...this.#ports.values()].includes(port)) this.#ports.set(name, port);
    }
  }

  async #gatewayPort(): Promise<number> {
    const { port } = this.options;
    const free = await freePort(port ?? USUAL_PORT);
    if (port === undefined || port === free) return free;
    throw new TerminalError(`port ${port} of 127.0.0.1 is taken: give --port another one, or leave it out`);
  }

  /** The usual port is everybody's: another demo may take it between our look and our use. */
  async #lostItsPort(name: ServiceName): Promise<boolean> {
    const port = this.#ports.get(name);
    if (name !== 'gateway' || this.options.port !== undefined || port === undefined) return false;
    const started = this.#services.get(name);
    if (started && started.gone() === undefined) return false;
    if ((await freePort(port)) === port) return false;
    return this.#ports.delete(name);
  }

  async #settingsOf(name: ServiceName): Promise<Record<string, string>> {
    const traces = tracesEndpoint();
    return {
      ...this.#logSettings,
      AURA_DATABASE_URL: this.#postgres?.databases[name] ?? '',
      AURA_CREATE_TOPICS: 'true',
      AURA_SERVICE_TOKEN_SECRET: tokenSecret(this.options.dir),
      ...(traces ? { ...TRACED, AURA_OTLP_ENDPOINT: traces } : {}),
      ...(await this.#ownSettings(name)),
    };
  }

  /** What only this service is told. */
  async #ownSettings(name: ServiceName): Promise<Record<string, string>> {
    if (name === 'image-analysis') return { AURA_GATEWAY_URL: await this.#addressOf('gateway') };
    if (name === 'checkout')
      return {
        AURA_INVENTORY_URL: await this.#addressOf('inventory'),
        // Answers at once, so that the purchase can be watched from its beginning.
        AURA_PURCHASE_WAIT_MS: '0',
        // Longer than a killed service's session: what it left behind is free again after that.
        AURA_PURCHASE_PREPARE_MS: '60000',
      };
    if (name === 'delivery') return { AURA_RETURN_WAIT_MS: '0' }; // as above
    if (name !== 'gateway') return {};
    const addresses: Record<string, string> = {};
    for (const owner of SHOP_SERVICES)
      addresses[`AURA_${owner.toUpperCase()}_URL`] = await this.#addressOf(owner);
    return addresses;
  }

  async #addressOf(name: ServiceName): Promise<string> {
    return `http://127.0.0.1:${await this.#portOf(name)}`;
  }
}

/** Where traces go; undefined: nowhere. */
function tracesEndpoint(): string | undefined {
  return process.env['AURA_OTLP_ENDPOINT'] ?? givenJaeger()?.otlpEndpoint;
}

/** The environment without a shell's own `AURA_` settings: they are meant for other services. */
function withoutSettings(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('AURA_')));
}

/** Made once per folder, readable by its owner only: the services of one demo trust each other by it. */
function tokenSecret(dir: string): string {
  const file = secretFile(dir);
  if (!existsSync(file)) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, randomBytes(32).toString('base64url'), { mode: 0o600 });
  }
  return readFileSync(file, 'utf8');
}

const secretFile = (dir: string): string => resolve(dir, 'service-token-secret');
