// The built libraries and what they bring along: benches measure what services run, not the sources.
import 'reflect-metadata';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { CLONE } from '../start/bootstrap.mjs';
import { Problem } from '../start/problem.mjs';

const load = (lib) => import(pathToFileURL(join(CLONE, 'libs', lib, 'dist/index.js')).href);

const LIBS = ['contracts', 'event-log', 'eventing', 'saga', 'platform'];

/** All of them as one object. Rejects with a `Problem` where they are not built. */
export async function libraries() {
  try {
    const parts = await Promise.all(LIBS.map(load));
    return Object.assign({}, ...parts);
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new Problem('The libraries are not built.', '`npm run build`, or `npm run bench`.', {
      cause: error,
    });
  }
}

/** A package as that library has it: benches add no dependency of their own. */
export const packageOf = (lib, name) => createRequire(join(CLONE, 'libs', lib, 'package.json'))(name);
