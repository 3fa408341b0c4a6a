// A real Jaeger, as it is started, found again, stopped and interrupted.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answers } from './daemons.mjs';
import { jaegerDown, jaegerState, jaegerUp } from './jaeger-choice.mjs';
import { answersAsJaeger, jaegerStatus, startJaeger, startTestJaeger, stopJaeger } from './jaeger.mjs';

/** Building it, where AURA_REQUIRE_JAEGER asks for that. */
const BUILD_MS = 45 * 60_000;

let jaeger;
let missing;
beforeAll(async () => {
  jaeger = await startTestJaeger().catch((error) => {
    if (error.name !== 'Problem' || process.env['AURA_REQUIRE_JAEGER']) throw error;
    missing = error.message;
    console.warn(`SKIPPED, everything that needs a real Jaeger:\n${missing}`);
  });
}, BUILD_MS);
afterAll(() => jaeger?.stop());

/** A test that needs it. */
const itWith = (name, test) => it(name, ({ skip }) => (missing ? skip(missing) : test()));

describe('Jaeger of its own', () => {
  itWith('J2: is found by a second start, and comes back on its ports after a stop', async () => {
    const { dir, url, otlpEndpoint, pid } = jaeger;
    expect(await answersAsJaeger(jaeger)).toBeNull();
    expect(await startJaeger({ dir })).toMatchObject({ url, otlpEndpoint, pid });
    expect(await stopJaeger({ dir })).toBe(true);
    expect(await stopJaeger({ dir })).toBe(false);
    expect(jaegerStatus({ dir })).toEqual({ url, otlpEndpoint, pid, running: false });
    expect(await answersAsJaeger(jaeger)).toBe(url);
    const again = await startJaeger({ dir });
    expect(again).toMatchObject({ url, otlpEndpoint });
    expect(again.pid).not.toBe(pid);
    expect(await answersAsJaeger(again)).toBeNull();
  });

  itWith('J3: a pid that is somebody else by now is left alone', async () => {
    const { dir } = jaeger;
    const file = join(dir, 'jaeger.json');
    const state = readFileSync(file, 'utf8');
    writeFileSync(file, JSON.stringify({ ...JSON.parse(state), pid: process.pid }));
    expect(jaegerStatus({ dir }).running).toBe(false);
    expect(await stopJaeger({ dir })).toBe(false); // this test would have ended
    writeFileSync(file, state);
    expect(jaegerStatus({ dir }).running).toBe(true);
  });

  itWith('J4: an interrupted start leaves nothing running', async () => {
    const { dir } = jaeger;
    await stopJaeger({ dir });
    await expect(startJaeger({ dir, signal: AbortSignal.abort() })).rejects.toThrow('was interrupted');
    expect(jaegerStatus({ dir }).running).toBe(false);
    expect(await answers(`${jaeger.url}/api/services`)).toBe(false);
    await startJaeger({ dir });
  });

  itWith('is used, and neither started nor stopped, where JAEGER_URL names it', async () => {
    const { dir, url, otlpEndpoint } = jaeger;
    const unused = join(dir, 'unused');
    Object.assign(process.env, { JAEGER_URL: url, AURA_OTLP_ENDPOINT: otlpEndpoint });
    try {
      const given = { by: 'environment', url, otlpEndpoint };
      expect(await jaegerUp(unused)).toEqual(given);
      expect(await jaegerState(unused)).toEqual({ ...given, running: true });
      expect(await jaegerDown(unused)).toBe(false);
      expect(await answersAsJaeger(jaeger)).toBeNull();
      process.env['AURA_OTLP_ENDPOINT'] = url; // Jaeger's pages take no spans
      await expect(jaegerUp(unused)).rejects.toThrow(`${url} does not answer as a Jaeger does`);
    } finally {
      delete process.env['JAEGER_URL'];
      delete process.env['AURA_OTLP_ENDPOINT'];
    }
  });
});
