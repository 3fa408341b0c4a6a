import { createServer, type Server } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { Shutdown, STOP_STAGES, systemClock, TerminalError } from '@aura/platform';
import { settled } from '@aura/testing';
import {
  Controller,
  Get,
  Inject,
  Injectable,
  Logger as NestsLogger,
  Module,
  type OnModuleInit,
} from '@nestjs/common';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ask, NOWHERE, recordingLogger, startTestService } from '../test/service.js';
import { type Config, ConfigError, defineConfig } from './config/config.js';
import { integer } from './config/settings.js';
import { Health } from './health/health.js';
import { type RunningService, startService } from './start-service.js';
import { CLOCK, CONFIG } from './tokens.js';

const gates: (() => void)[] = [];

@Controller()
class SmallController {
  readonly #nest = new NestsLogger('Small');

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(CLOCK) readonly clock: unknown,
  ) {}

  @Get('name')
  name(): { name: string } {
    this.#nest.log(`I am ${this.config.name}`);
    return { name: this.config.name };
  }

  @Get('gated')
  async gated(): Promise<{ done: true }> {
    await new Promise<void>((resolve) => gates.push(resolve));
    return { done: true };
  }
}

@Module({ controllers: [SmallController] })
class SmallModule {}

const running: RunningService[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((service) => service.stop()));
});

async function start(...args: Parameters<typeof startTestService>): Promise<RunningService> {
  const service = await startTestService(...args);
  running.push(service);
  return service;
}

describe('startService', () => {
  it('says in one sentence which port is taken and what to do', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await settled('listening', () => other.listening);
    const { port } = other.address() as { port: number };
    const failing = start(SmallModule, { AURA_HTTP_PORT: String(port) });
    await expect(failing).rejects.toBeInstanceOf(TerminalError);
    await expect(failing).rejects.toThrow(
      `things can't start: port ${port} of 127.0.0.1 is taken; ` +
        'set AURA_HTTP_PORT to another one, or to 0 for a free one',
    );
    other.close();
    await expect(start(SmallModule, { AURA_HTTP_HOST: '192.0.2.1' })).rejects.toThrow(
      "things can't start: 192.0.2.1 is no address of this machine; set AURA_HTTP_HOST",
    );
  });

  it('takes the port it is given over the configured one', async () => {
    const service = await startService({
      config: defineConfig('things'),
      module: () => SmallModule,
      environment: { ...NOWHERE, AURA_HTTP_PORT: '1' },
      logger: recordingLogger(),
      port: 0,
    });
    running.push(service);
    expect(new URL(service.url).port).not.toBe('1');
    expect(service.app.get(CLOCK)).toBe(systemClock);
  });

  it('starts nothing where the configuration is wrong, and warns of strangers', async () => {
    await expect(start(SmallModule, { AURA_HTTP_PROT: '1' })).rejects.toBeInstanceOf(ConfigError);
    const logger = recordingLogger();
    await start(SmallModule, { AURA_GATEWAY_SERVICE_HOST: '10.0.0.1' }, logger);
    expect(logger.lines.find(({ level }) => level === 'warn')?.message).toContain(
      'AURA_GATEWAY_SERVICE_HOST is not a setting',
    );
  });

  it("gives a service's own settings to its module", async () => {
    const config = defineConfig('own', { shelves: integer(1, 9).default(3).describe('Shelves.') });
    const seen: number[] = [];
    const service = await startService({
      config,
      module: ({ shelves }) => {
        seen.push(shelves);
        return SmallModule;
      },
      environment: { ...NOWHERE, AURA_SHELVES: '7' },
      logger: recordingLogger(),
    });
    running.push(service);
    expect(seen).toEqual([7]);
  });

  it('runs many in one process, each with its own name, log and end', async () => {
    const [one, two] = [recordingLogger(), recordingLogger()];
    const [first, second] = await Promise.all([
      start(SmallModule, {}, one, 'first'),
      start(SmallModule, {}, two, 'second'),
    ]);
    await Promise.all(
      [first, second].map(async ({ url, name }) => {
        expect((await ask(`${url}/name`)).json).toEqual({ name });
      }),
    );
    expect(one.lines.map(({ message }) => message)).toContain('I am first');
    expect(one.lines.map(({ message }) => message)).not.toContain('I am second');
    expect(two.lines.map(({ message }) => message)).toContain('I am second');
    await first.stop();
    expect((await ask(`${second.url}/name`)).status).toBe(200);
    await expect(fetch(`${first.url}/name`)).rejects.toThrow();
  });

  it('is not ready until it has started, and says so while its consumers start', async () => {
    const service = await start(SmallModule);
    expect((await ask(`${service.url}/health/started`)).json).toEqual({ status: 'ok', checks: {} });
    expect((await ask(`${service.url}/health/live`)).status).toBe(200);
    service.app.get(Health).add('relay', () => Promise.reject(new Error('no leader')));
    expect((await ask(`${service.url}/health/ready`)).json).toMatchObject({
      status: 503,
      detail: 'not ready: relay (no leader)',
      checks: { relay: { status: 'down', detail: 'no leader' } },
    });
  });

  it('stops stage after stage, once, and answers what is under way first', async () => {
    const service = await start(SmallModule);
    const order: string[] = [];
    const shutdown = service.app.get(Shutdown);
    for (const stage of STOP_STAGES) shutdown.add(stage, stage, async () => void order.push(stage));
    const answer = ask(`${service.url}/gated`);
    await settled('under way', () => gates.length > 0);
    const stopping = Promise.all([service.stop(), service.stop()]);
    await settled('no more taken', () =>
      fetch(`${service.url}/name`).then(
        () => false,
        () => true,
      ),
    );
    expect(order.filter((stage) => stage !== 'http')).toEqual([]);
    gates.pop()?.();
    expect((await answer).json).toEqual({ done: true });
    await stopping;
    expect(order).toEqual([...STOP_STAGES]);
  });

  it('is not held up by a connection that is kept alive', async () => {
    const service = await start(SmallModule);
    const server: Server = service.app.getHttpServer();
    // Neither Node's own time-out nor the cut at the end may be what ends it.
    server.keepAliveTimeout = 0;
    const cut = vi.spyOn(server, 'closeAllConnections');
    const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
    socket.write('GET /gated HTTP/1.1\r\nHost: x\r\n\r\n');
    await settled('under way', () => gates.length > 0);
    const stopping = service.stop();
    await settled('closing', () => !server.listening);
    gates.pop()?.();
    // The client sends no FIN and no second request: the server must end the connection, well before it
    // would cut it.
    expect(await text(socket)).toContain('{"done":true}');
    await stopping;
    expect(cut).not.toHaveBeenCalled();
  });

  it('stops what had started where a provider fails, and passes its error on', async () => {
    const stopped: string[] = [];
    @Injectable()
    class Failing implements OnModuleInit {
      constructor(@Inject(Shutdown) shutdown: Shutdown) {
        shutdown.add('relay', 'relay', async () => void stopped.push('relay'));
      }
      onModuleInit(): void {
        throw new Error('no such bucket');
      }
    }
    @Module({ providers: [Failing] })
    class FailingModule {}
    await expect(start(FailingModule)).rejects.toThrow('no such bucket');
    expect(stopped).toEqual(['relay']);
  });
});
