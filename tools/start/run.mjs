// `node tools/start/run.mjs [--build PROJECT,..|none] SCRIPT [arguments]`: makes the clone ready, then runs a
// script of the workspace under its Node 24. Without --build everything is built first.
import { start } from './bootstrap.mjs';

let projects;
if (process.argv[2] === '--build') {
  const [, list] = process.argv.splice(2, 2);
  projects = list === 'none' ? [] : list.split(',');
}
const [script] = process.argv.splice(2, 1);
await start(script, { projects });
