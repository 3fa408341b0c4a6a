import { createRequire, Module } from 'node:module';

/**
 * Puts what `make` gives in the place of what a module of kafkajs exports, for whoever loads it from now on;
 * who has loaded it keeps what it found. Marked `atOnce`: a second call changes nothing.
 *
 * The entry in Node's cache is a new one. Instrumentations that wrap `require` (OpenTelemetry's) note on the
 * old one what it exported, and would go on giving that: with them all of this had no effect.
 */
export function replaceModule<T extends object>(path: string, make: (loaded: T) => T): void {
  const require = createRequire(import.meta.url);
  const loaded = require(path) as T & { readonly atOnce?: true };
  if (loaded.atOnce) return;
  const file = require.resolve(path);
  const module = new Module(file);
  require.cache[file] = Object.assign(module, {
    filename: file,
    loaded: true,
    exports: Object.assign(make(loaded), { atOnce: true }),
  });
}
