import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig, type ViteUserConfig } from 'vitest/config';

/**
 * Shared Vitest settings: the tests run the libraries' TypeScript sources, so nothing has to be built first.
 */
export function defineNodeProject(metaUrl: string, test: ViteUserConfig['test'] = {}): ViteUserConfig {
  const conditions = ['@aura/source', 'module', 'node', 'development|production'];
  return defineConfig({
    root: fileURLToPath(new URL('.', metaUrl)),
    resolve: { conditions },
    ssr: { resolve: { conditions } },
    test: {
      name: metaUrl.split('/').at(-2) ?? 'project',
      environment: 'node',
      include: ['src/**/*.spec.ts', 'test/**/*.spec.ts'],
      setupFiles: [fileURLToPath(new URL('./vitest.setup.ts', import.meta.url))],
      globalSetup: [fileURLToPath(new URL('./vitest.global.ts', import.meta.url))],
      // The default on two cores is one file at a time, and most files wait for most of their time.
      maxWorkers: Math.max(3, availableParallelism() - 1),
      testTimeout: 60_000,
      hookTimeout: 60_000,
      // A machine of CI may stall for seconds. What passes only when tried again is named at the end.
      retry: process.env['CI'] ? 1 : 0,
      ...test,
    },
  });
}
