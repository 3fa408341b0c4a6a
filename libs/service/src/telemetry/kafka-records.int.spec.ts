import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { bundleMain } from '../../test/bundle.js';

/** OpenTelemetry wraps `require`: what @aura/event-log puts in kafkajs's place has to be seen through it. */
it('a service with telemetry writes and reads Kafka records at once', async () => {
  const bundle = await bundleMain('kafka-main.ts');
  try {
    const run = promisify(execFile);
    const { stdout } = await run(process.execPath, ['--import', bundle.register, bundle.main]);
    expect(JSON.parse(stdout)).toEqual([true, true]);
  } finally {
    await bundle.remove();
  }
});
