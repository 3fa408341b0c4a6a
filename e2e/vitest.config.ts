import { fileURLToPath } from 'node:url';
import { defineNodeProject } from '../tools/src/vitest.base.ts';

/**
 * Whole programs are run here, as they were compiled: `vitest.build.ts` compiles what changed, and no
 * server is shared.
 */
export default defineNodeProject(import.meta.url, {
  globalSetup: [fileURLToPath(new URL('test/vitest.build.ts', import.meta.url))],
});
