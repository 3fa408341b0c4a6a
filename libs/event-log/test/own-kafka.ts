import { startKafka, startTestKafka } from '../../../tools/infra/kafka.mjs';
import type { OwnServer } from './conformance/index.js';
import { open } from './open-kafka.js';

/** A broker that a test may kill and bring back: same port, same data. */
export async function ownKafka(): Promise<OwnServer> {
  const kafka = await startTestKafka({ registry: false });
  return {
    open: () => open(kafka.brokers.split(',')),
    stop: async () => void (await kafka.kill()),
    start: async () => void (await startKafka({ dir: kafka.dir, registry: false })),
    dispose: async () => void (await kafka.stop()),
  };
}
