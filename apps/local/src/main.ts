import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Problem } from '@aura/tools/postgres';
import { AuraError } from '@aura/platform';
import { Listr } from 'listr2';
import pc from 'picocolors';
import { readOptions, type DemoOptions } from './options.js';
import { sendPhoto, type PhotoRun } from './photo-run.js';
import { milliseconds, resultText, stepLine } from './screen.js';
import { kafka, postgres, type ServiceName, type StartedPostgres } from './servers.js';
import { freePort, inProcesses, inThisProcess, whenReady, type StartedService } from './services.js';

const USUAL_PORT = 8_420;

/** What has been started, in the order of starting: it is stopped the other way round. */
class Demo {
  readonly #stops: (() => Promise<void>)[] = [];
  readonly places: string[] = [];
  readonly services = new Map<ServiceName, StartedService>();
  postgres: StartedPostgres | undefined;
  logSettings: Readonly<Record<string, string>> = {};
  run: PhotoRun | undefined;

  started(stop: () => Promise<void>): void {
    this.#stops.unshift(stop);
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops.splice(0)) await stop();
  }

  url(name: ServiceName): string {
    return this.services.get(name)?.url ?? '';
  }
}

const options = readOptions(process.argv.slice(2));
const asked = firstSignal();
const begun = performance.now();
const demo = new Demo();
process.exitCode = await main();

async function main(): Promise<number> {
  try {
    await tasks(demo, options, asked).run();
    if (options.json) process.stdout.write(`${JSON.stringify(summary(demo, options))}\n`);
    else tell(demo, options);
    if (!options.once) await aborted(asked);
    return demo.run?.analysis.state === 'done' ? 0 : 1;
  } catch (error) {
    if (asked.aborted) return 0;
    process.stderr.write(`${pc.red(sentenceOf(error))}\n`);
    return 1;
  } finally {
    if (!options.json && !options.once) process.stderr.write('\nstopping …\n');
    await demo.stop();
    // Whatever still keeps the process alive has had its time to stop.
    setTimeout(() => process.exit(), 1_000).unref();
  }
}

/** The whole demo as a list that shows what is under way, and how long each part took. */
function tasks(state: Demo, settings: DemoOptions, signal: AbortSignal): Listr {
  const starter = settings.processes ? inProcesses(logFolder(settings)) : inThisProcess(logFolder(settings));
  const service = (name: ServiceName, port: () => Promise<number>) => ({
    title: name,
    task: async (_: unknown, task: { title: string }) => {
      const started = performance.now();
      const running = await starter.start(name, await port(), settingsOf(state, settings, name));
      state.started(() => running.stop());
      state.services.set(name, running);
      await whenReady(running, signal);
      task.title = `${name} is ready at ${running.url} ${pc.dim(milliseconds(performance.now() - started))}`;
    },
  });
  const list = new Listr<unknown>([], {
    concurrent: false,
    fallbackRenderer: 'simple',
    silentRendererCondition: settings.json,
    rendererOptions: { collapseSubtasks: false },
  });
  list.add({
    title: 'Postgres 18',
    task: async (_: unknown, task: { title: string }) => {
      const started = performance.now();
      const server = await postgres(settings);
      state.started(() => server.stop());
      state.postgres = server;
      state.places.push(...server.places);
      if (!settings.kafka) state.logSettings = { AURA_LOG_KIND: 'postgres', AURA_LOG_URL: server.logUrl };
      task.title = `Postgres 18 ${server.words} ${pc.dim(milliseconds(performance.now() - started))}`;
    },
  });
  if (settings.kafka)
    list.add({
      title: 'Kafka and schema registry (fetched from Maven the first time)',
      task: async (_: unknown, task: { title: string }) => {
        const started = performance.now();
        const server = await kafka(settings);
        state.started(() => server.stop());
        state.places.push(...server.places);
        state.logSettings = server.log;
        task.title = `Kafka ${server.words} ${pc.dim(milliseconds(performance.now() - started))}`;
      },
    });
  list.add(service('gateway', async () => settings.port ?? freePort(USUAL_PORT)));
  list.add(service('image-analysis', () => freePort()));
  list.add({
    title: `photo ${settings.photo}`,
    task: async (_: unknown, task: { title: string; output: string }) => {
      const lines: string[] = [];
      state.run = await sendPhoto(state.url('gateway'), settings.photo, signal, (step) => {
        lines.push(stepLine(step));
        task.output = lines.join('\n');
      });
      task.title = ['photo sent, and its way through the services', ...lines.map((line) => `  ${line}`)].join(
        '\n',
      );
    },
  });
  return list as unknown as Listr;
}

function settingsOf(state: Demo, settings: DemoOptions, name: ServiceName): Record<string, string> {
  return {
    ...state.logSettings,
    AURA_DATABASE_URL: state.postgres?.databases[name] ?? '',
    AURA_CREATE_TOPICS: 'true',
    AURA_SERVICE_TOKEN_SECRET: serviceTokenSecret(settings),
    ...(process.env['AURA_OTLP_ENDPOINT'] ? { AURA_OTLP_ENDPOINT: process.env['AURA_OTLP_ENDPOINT'] } : {}),
    ...(name === 'image-analysis' ? { AURA_GATEWAY_URL: state.url('gateway') } : {}),
  };
}

/** Made once per folder, readable by its owner only: the services of one demo trust each other by it. */
function serviceTokenSecret({ dir }: DemoOptions): string {
  const file = resolve(dir, 'service-token-secret');
  if (!existsSync(file)) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, randomBytes(32).toString('base64url'), { mode: 0o600 });
  }
  return readFileSync(file, 'utf8');
}

function logFolder({ dir }: DemoOptions): string {
  return resolve(dir, 'logs');
}

function tell(state: Demo, settings: DemoOptions): void {
  if (!state.run) return;
  const gatewayUrl = state.url('gateway');
  const lines = [
    '',
    resultText(settings, state.run),
    '',
    `the answer      ${gatewayUrl}/analyses/${state.run.analysis.id}`,
    `the API         ${gatewayUrl}/docs  ${pc.dim('(try POST /photos)')}`,
    `health          ${gatewayUrl}/health/ready`,
    `logs            ${logFolder(settings)}`,
    ...state.places.map((place) => `data            ${place}`),
    '',
    pc.dim(
      `ready ${milliseconds(performance.now() - begun)} after the start; bound to 127.0.0.1, without a login`,
    ),
    ...(settings.once ? [] : [pc.bold('Ctrl-C stops everything; the data stays.')]),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

function summary(state: Demo, settings: DemoOptions): object {
  const { analysis, steps, totalMs } = state.run ?? {};
  return {
    ok: analysis?.state === 'done',
    photo: settings.photo,
    log: settings.kafka ? 'kafka' : 'postgres',
    processes: settings.processes,
    totalMs,
    steps: steps?.map(({ name, service, ms }) => ({ name, service, ms })),
    analysis,
    services: Object.fromEntries([...state.services.values()].map(({ name, url }) => [name, url])),
  };
}

/** Aborted by the first Ctrl-C or SIGTERM; a second one ends the process at once. */
function firstSignal(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      if (controller.signal.aborted) process.exit(130);
      controller.abort();
    });
  return controller.signal;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (signal.aborted) done();
    else signal.addEventListener('abort', () => done(), { once: true });
  });
}

/** Known faults are sentences with a cure; of an unknown one the stack is worth more. */
function sentenceOf(error: unknown): string {
  if (error instanceof AuraError || error instanceof Problem) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
