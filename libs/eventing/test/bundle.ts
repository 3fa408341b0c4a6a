import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

/**
 * A file of this folder as plain JavaScript, for tests that need a process of their own: built from the
 * sources, so that no test reads a dist/ of yesterday. Lies inside the project, where `node_modules` is
 * found.
 */
export async function bundle(file: string): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const folder = join(root, 'out-tsc', `process-${randomBytes(4).toString('hex')}`);
  await build({
    root,
    configFile: false,
    logLevel: 'error',
    resolve: { conditions: ['@aura/source', 'node'] },
    ssr: { noExternal: [/^@aura\//], resolve: { conditions: ['@aura/source', 'node'] } },
    build: {
      ssr: true,
      target: 'node24',
      outDir: folder,
      minify: false,
      rollupOptions: {
        input: { main: join(root, 'test', file) },
        output: { entryFileNames: '[name].mjs' },
      },
    },
  });
  return {
    path: join(folder, 'main.mjs'),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
