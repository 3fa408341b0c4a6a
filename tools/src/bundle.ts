import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

export interface Bundle<Name extends string> {
  /** Files to run, by the names that were given. */
  readonly paths: Readonly<Record<Name, string>>;
  readonly remove: () => Promise<void>;
}

/**
 * Files of a project as plain JavaScript, for tests that need a process of their own: built from the
 * sources, so that no test reads a dist/ of yesterday. They lie inside the project, where `node_modules` is
 * found.
 *
 * @param project its folder, as a file URL
 * @param files by name, relative to `project`
 */
export async function bundle<Name extends string>(
  project: URL,
  files: Readonly<Record<Name, string>>,
): Promise<Bundle<Name>> {
  const root = fileURLToPath(project);
  const folder = join(root, 'out-tsc', `process-${randomBytes(4).toString('hex')}`);
  const named = <T>(of: (name: Name) => T): Record<Name, T> =>
    Object.fromEntries((Object.keys(files) as Name[]).map((name) => [name, of(name)])) as Record<Name, T>;
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
        input: named((name) => join(root, files[name])),
        output: { entryFileNames: '[name].mjs' },
      },
    },
  });
  return {
    paths: named((name) => join(folder, `${name}.mjs`)),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
