// Avro to payloads and back, in memory: one core, no server.
import { rowOf } from './figures.mjs';
import { entryType, keyOf, registryOf, serialOf } from './ground.mjs';
import { libraries } from './libraries.mjs';

const SECONDS = { full: 2, quick: 0.2 };
const EVENTS = 1_000;

export async function benchCodec({ runs, quick, say }) {
  const libs = await libraries();
  const type = entryType(libs, 'bench');
  const contracts = new libs.Contracts({ publishes: [type], subscribes: [type] });
  const registry = registryOf(type);
  const events = Array.from({ length: EVENTS }, (_, n) => type.of({ key: keyOf(n), serial: serialOf(n) }));
  const values = events.map((event) => libs.frame(1, contracts.encode(event).body));
  await contracts.decode(type, values[0], registry, type.fingerprint); // the reader is compiled
  const decode = (n) => contracts.decode(type, values[n], registry, type.fingerprint).serial === serialOf(n);
  const encode = (n) => contracts.encode(events[n]).body.length === values[n].length - 5;
  const rows = [];
  for (const [name, work] of Object.entries({ decode, encode })) {
    say(name);
    const done = Array.from({ length: runs }, () => spin(work, quick ? SECONDS.quick : SECONDS.full));
    rows.push(rowOf({ system: 'aura', case: name, concurrency: 1 }, done));
  }
  return rows;
}

function spin(work, seconds) {
  let done = 0;
  let failed = 0;
  const stepsMs = [];
  const begun = performance.now();
  while (performance.now() - begun < seconds * 1_000) {
    const at = performance.now();
    for (let n = 0; n < EVENTS; n++) if (!work(n)) failed++;
    stepsMs.push((performance.now() - at) / EVENTS);
    done += EVENTS;
  }
  return { perSecond: done / ((performance.now() - begun) / 1_000), stepsMs, failed };
}
