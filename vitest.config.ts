import { defineConfig } from 'vitest/config';

/** All projects in one run: `npm test`, or `npx vitest run --project eventing`. */
export default defineConfig({
  test: { projects: ['libs/*', 'apps/*', 'schemas', 'tools', 'e2e'], maxWorkers: 2 },
});
