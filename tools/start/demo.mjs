// `npm run demo -- [options]`: makes the clone ready, then runs the demo (apps/local).
import { start } from './bootstrap.mjs';

await start('apps/local/dist/main.js', { projects: ['apps/local'] });
