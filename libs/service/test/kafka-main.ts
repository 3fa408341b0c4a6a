/** Says whether kafkajs writes and reads records as @aura/event-log wants it, in a process with telemetry. */
import { createRequire } from 'node:module';
import { kafkaLog } from '@aura/event-log';
import { silentLogger } from '@aura/platform';

const log = kafkaLog({ brokers: ['127.0.0.1:1'], clientId: 'test', logger: silentLogger });
const require = createRequire(import.meta.url);
const record = 'kafkajs/src/protocol/recordBatch/record/v0';
const used = [record, `${record}/decoder`].map((path) => (require(path) as { atOnce?: true }).atOnce);
console.log(JSON.stringify(used));
await log.close();
