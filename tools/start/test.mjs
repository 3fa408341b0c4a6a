// `npm test [-- arguments for vitest]`: makes the clone ready, then runs every test. The last line is the
// result.
import { bootstrap, runScript } from './bootstrap.mjs';

let node;
try {
  node = await bootstrap();
} catch (error) {
  console.error(`\n✖ ${error.name === 'Problem' ? error.message : error.stack}\n`);
  console.log('0 passed, 1 failed'); // nothing could run: that is a failure, not an empty success
  process.exit(1);
}
runScript(node, 'tools/start/run-tests.mjs', process.argv.slice(2));
