import { bundle } from '../../../tools/src/bundle.ts';

export interface Bundle {
  readonly main: string;
  readonly register: string;
  remove(): Promise<void>;
}

/** A main of test/ (default: main.ts) and register.ts, to be run as a process. */
export async function bundleMain(main = 'main.ts'): Promise<Bundle> {
  const { paths, remove } = await bundle(new URL('..', import.meta.url), {
    main: `test/${main}`,
    register: 'src/telemetry/register.ts',
  });
  return { ...paths, remove };
}
