// `npm run aura -- COMMAND`: the operator's command line; see README.md. Talks to the admin API of services
// and to nothing else. Exit codes: 0 fine, 1 failed, 2 wrong usage, 3 the doctor found an alarm.
import { run } from './run.mjs';

process.exitCode = await run(process.argv.slice(2));
