import { bundle as bundleFiles } from '../../../tools/src/bundle.ts';

/** A file of this folder, to be run as a process. */
export async function bundle(file: string): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const { paths, remove } = await bundleFiles(new URL('..', import.meta.url), { main: `test/${file}` });
  return { path: paths.main, remove };
}
