import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { TerminalError } from '@aura/platform';
import type { DemoOptions } from './options.js';
import { kafka, postgres, type ServiceName, type StartedPostgres } from './servers.js';
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
 * Everything that the demo starts, part by part, each saying in words how it went. `stop` ends it all, the
 * last one first; safe to call whatever has been started.
 */
export class Stack {
  readonly #stops: (() => Promise<void>)[] = [];
  readonly #services = new Map<ServiceName, StartedService>();
  readonly #starter: Starter;
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
    this.#starter = options.processes ? inProcesses(this.logFolder) : inThisProcess(this.logFolder);
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

  async startService(name: ServiceName): Promise<string> {
    const port = await (name === 'gateway' ? this.#gatewayPort() : freePort());
    const service = await this.#starter.start(name, port, this.#settingsOf(name));
    this.#stops.unshift(() => service.stop());
    this.#services.set(name, service);
    this.#file.write(this.urls());
    await whenReady(service, this.signal);
    return `ready at ${service.url}`;
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

  async #gatewayPort(): Promise<number> {
    const { port } = this.options;
    const free = await freePort(port ?? USUAL_PORT);
    if (port === undefined || port === free) return free;
    throw new TerminalError(`port ${port} of 127.0.0.1 is taken: give --port another one, or leave it out`);
  }

  #settingsOf(name: ServiceName): Record<string, string> {
    const traces = process.env['AURA_OTLP_ENDPOINT'];
    return {
      ...this.#logSettings,
      AURA_DATABASE_URL: this.#postgres?.databases[name] ?? '',
      AURA_CREATE_TOPICS: 'true',
      AURA_SERVICE_TOKEN_SECRET: tokenSecret(this.options.dir),
      ...(traces ? { AURA_OTLP_ENDPOINT: traces } : {}),
      ...(name === 'image-analysis' ? { AURA_GATEWAY_URL: this.urlOf('gateway') } : {}),
    };
  }
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
