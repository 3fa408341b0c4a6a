// `node tools/start/run.mjs SCRIPT [arguments]`: makes the clone ready, then runs a script of the workspace
// under Node 24.
import { start } from './bootstrap.mjs';

const [script] = process.argv.splice(2, 1);
await start(script);
