import { describe, expect, it } from 'vitest';
import { Health } from './health.js';

function running(): Health {
  const health = new Health();
  health.started();
  return health;
}

describe('health', () => {
  it('K2: says by name what is missing', async () => {
    const health = running();
    health.add('database', async () => undefined);
    health.add('relay', async () => 'standby, another replica leads');
    health.add('log', () => Promise.reject(Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' })));
    health.add('registry', () => Promise.reject(new Error('404 from the registry')));
    expect(await health.report('ready')).toEqual({
      ok: false,
      detail: 'not ready: log (ECONNREFUSED); registry (404 from the registry)',
      checks: {
        database: { status: 'up' },
        relay: { status: 'up', detail: 'standby, another replica leads' },
        log: { status: 'down', detail: 'ECONNREFUSED' },
        registry: { status: 'down', detail: '404 from the registry' },
      },
    });
    expect((await health.report('live')).ok).toBe(true);
  });

  it('K1: a check that throws at once, or hangs, is down; not called again while it hangs', async () => {
    const health = running();
    let calls = 0;
    const answers: ((words: string) => void)[] = [];
    health.add('thrower', () => {
      throw new Error('at once');
    });
    health.add(
      'hanger',
      () => {
        calls++;
        return new Promise<string>((resolve) => answers.push(resolve));
      },
      { timeoutMs: 5 },
    );
    const [first, second] = await Promise.all([health.report('ready'), health.report('ready')]);
    expect(first.detail).toBe('not ready: thrower (at once); hanger (no answer within 5 ms)');
    expect(second.detail).toBe(first.detail);
    await health.report('ready');
    expect(calls).toBe(1);
    answers.shift()?.('back');
    await Promise.resolve();
    const again = health.report('ready');
    expect(calls).toBe(2);
    answers.shift()?.('back');
    expect((await again).checks['hanger']).toEqual({ status: 'up', detail: 'back' });
  });

  it('K3: is not ready before it has started, nor once it stops; alive all the time', async () => {
    const health = new Health();
    expect(await health.report('started')).toMatchObject({
      ok: false,
      detail: expect.stringContaining('still starting'),
    });
    expect((await health.report('ready')).ok).toBe(false);
    health.started();
    expect((await health.report('started')).ok).toBe(true);
    expect((await health.report('ready')).ok).toBe(true);
    health.stopping();
    health.started();
    expect(await health.report('ready')).toMatchObject({
      ok: false,
      detail: 'not ready: the service is stopping',
    });
    expect((await health.report('live')).ok).toBe(true);
  });

  it('refuses two checks of one name', () => {
    const health = new Health();
    health.add('log', async () => undefined);
    health.add('log', async () => undefined, { probe: 'live' });
    expect(() => health.add('log', async () => undefined)).toThrow('there is already a check log for ready');
  });
});
