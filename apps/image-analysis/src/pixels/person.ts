import { readFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileFunction } from 'node:vm';
import type { CompiledModel } from '@litertjs/core';
import { MODEL_SIDE } from './decode.js';

/**
 * Where a person is: MediaPipe's selfie segmenter (models/NOTICE.md), run by LiteRT's wasm. Meant for
 * worker threads: the runtime wants a browser's worker, and what it lacks in Node is put on this thread's
 * `globalThis`.
 *
 * P1 the same bytes give the same map on every machine: the build without relaxed SIMD is taken, whose
 *    rounding the wasm standard fixes, and one thread does the sums.
 */
export type PersonMap = (rgb: Uint8Array) => Promise<Float32Array>;

const require = createRequire(import.meta.url);
const MODEL_FILE = fileURLToPath(new URL('../../models/selfie_segmentation.tflite', import.meta.url));
const RUNTIME = join(dirname(require.resolve('@litertjs/core/package.json')), 'wasm');
/** P1. */
const LOADER = 'litert_wasm_compat_internal.js';

/**
 * Loads the model once; the function that it gives takes `MODEL_SIDE` squared RGB and returns 0..1 for each
 * pixel.
 */
export async function loadPersonMap(): Promise<PersonMap> {
  const { loadLiteRt, loadAndCompile, Tensor } = await import('@litertjs/core');
  const model = await quietly(async (): Promise<CompiledModel> => {
    pretendBrowserWorker();
    await loadLiteRt(join(RUNTIME, LOADER), { threads: false });
    return loadAndCompile(await readFile(MODEL_FILE), { accelerator: 'wasm' });
  });
  return async (rgb) => {
    const input = new Tensor(
      Float32Array.from(rgb, (byte) => byte / 255),
      [1, MODEL_SIDE, MODEL_SIDE, 3],
    );
    const outputs = await model.run([input]);
    try {
      const map = outputs[0]?.toTypedArray();
      if (!(map instanceof Float32Array) || map.length !== MODEL_SIDE ** 2)
        throw new Error(`${MODEL_FILE} gave no map of ${MODEL_SIDE} x ${MODEL_SIDE}: is it another model?`);
      return map.slice();
    } finally {
      // Wasm memory is not collected: every tensor is given back by hand.
      for (const output of outputs) output.delete();
      input.delete();
    }
  };
}

/** LiteRT loads a classic script by `importScripts` and finds its factory on `self`. */
function pretendBrowserWorker(): void {
  const scope = globalThis as typeof globalThis & { self?: unknown; ModuleFactory?: unknown };
  const importScripts = (file: string): void => {
    const script = compileFunction(
      `${readFileSync(file, 'utf8')}\nreturn ModuleFactory;`,
      ['require', '__filename', '__dirname', 'console'],
      { filename: file },
    );
    scope.ModuleFactory = script(require, file, dirname(file), SILENT);
  };
  Object.assign(scope, { self: scope, importScripts });
}

const nothing = (): void => undefined;
/** The runtime's chatter; what goes wrong arrives as an exception. */
const SILENT = { log: nothing, info: nothing, warn: nothing, error: nothing, debug: nothing };

/** LiteRT warns on the console that there is no GPU, which is as meant. */
async function quietly<T>(load: () => Promise<T>): Promise<T> {
  const { warn } = console;
  console.warn = nothing;
  try {
    return await load();
  } finally {
    console.warn = warn;
  }
}
