import { defineConfig } from 'vitest/config';
import { Order } from './tools/src/vitest.order.ts';

/** All projects in one run: `npm test`, or `npx vitest run --project eventing`. */
export default defineConfig({
  test: {
    projects: ['libs/*', 'apps/*', 'schemas', 'tools', 'e2e'],
    sequence: { sequencer: Order },
  },
});
