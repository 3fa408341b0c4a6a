import { rm } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

export interface Bundle {
  readonly main: string;
  readonly register: string;
  remove(): Promise<void>;
}

/**
 * A main of test/ (default: main.ts) and register.ts as plain JavaScript, for tests that need a process of
 * their own: built from the sources, so that no test reads a dist/ of yesterday. Lies inside the project,
 * where `node_modules` is found.
 */
export async function bundleMain(main = 'main.ts'): Promise<Bundle> {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const folder = join(root, 'out-tsc', `main-${randomBytes(4).toString('hex')}`);
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
        input: { main: join(root, 'test', main), register: join(root, 'src/telemetry/register.ts') },
        output: { entryFileNames: '[name].mjs' },
      },
    },
  });
  return {
    main: join(folder, 'main.mjs'),
    register: join(folder, 'register.mjs'),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
