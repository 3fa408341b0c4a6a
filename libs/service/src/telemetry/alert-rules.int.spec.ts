import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { silentLogger } from '@aura/platform';
import { settled } from '@aura/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ask, jsonBody } from '../../test/service.js';
import { shopDatabases, type ShopDatabases } from '../../test/shop-databases.js';
import { shop } from '../../test/shop.js';
import { startService, type RunningService } from '../start-service.js';
import { startTelemetry, stopTelemetry } from './sdk.js';

const RULES = fileURLToPath(new URL('../../../../infra/prometheus/aura-events.rules.yml', import.meta.url));

let databases: ShopDatabases;
let service: RunningService;
beforeAll(async () => {
  startTelemetry({ serviceName: 'shop' });
  databases = await shopDatabases();
  service = await startService({ ...shop, environment: databases.environment, logger: silentLogger });
});
afterAll(async () => {
  await service.stop();
  await stopTelemetry();
  await databases.drop();
});

/** Names of what the alerts look at, and the labels that they group by. */
function named(): { metrics: string[]; labels: Map<string, string[]> } {
  const expressions = readFileSync(RULES, 'utf8').matchAll(/^ {8}expr: (.+)$/gm);
  const metrics = new Set<string>();
  const labels = new Map<string, string[]>();
  for (const [, expression = ''] of expressions) {
    const names = expression.match(/\baura_\w+/g) ?? [];
    const by = [...expression.matchAll(/by \(([\w, ]+)\)/g)].flatMap(([, list = '']) => list.split(', '));
    for (const name of names) {
      metrics.add(name);
      labels.set(name, [...(labels.get(name) ?? []), ...by]);
    }
  }
  return { metrics: [...metrics], labels };
}

it('every metric that an alert looks at is served by a running service, with its labels', async () => {
  const { metrics, labels } = named();
  expect(metrics.length).toBeGreaterThan(8);
  const sql = await databases.database.client();
  await sql.query(`insert into broken values ('o1')`); // a unit that fails, and a parked key
  const body = jsonBody({ order: 'o1', n: 1 });
  expect((await ask(`${service.url}/orders`, { method: 'POST', ...body })).status).toBe(202);
  let lines: string[] = [];
  const without = (label: (name: string) => string[]): string[] =>
    metrics.filter(
      (name) =>
        !lines.some(
          (line) => line.startsWith(`${name}{`) && label(name).every((l) => line.includes(`${l}="`)),
        ),
    );
  await settled('all of them are served', async () => {
    lines = (await ask(`${service.url}/metrics`)).text.split('\n');
    return without(() => []).length === 0;
  }).catch((error: unknown) => {
    throw new Error(`not served: ${without(() => []).join(', ')}`, { cause: error });
  });
  expect(without((name) => labels.get(name) ?? [])).toEqual([]);
});
