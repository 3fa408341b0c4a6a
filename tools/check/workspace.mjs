import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { CLONE } from './sources.mjs';

/**
 * @typedef {object} Project
 * @property {string} path folder, relative to the clone
 * @property {string} name package name
 * @property {string} kind `lib:<scope>`, `app`, `local`, `schemas`, `tools` or `e2e`
 * @property {any} manifest its package.json
 */

/** @returns {Project[]} every package of the workspace */
export function workspace(root = CLONE) {
  const under = (folder) => (existsSync(join(root, folder)) ? readdirSync(join(root, folder)) : []);
  const paths = [
    ...under('libs').map((name) => `libs/${name}`),
    ...under('apps').map((name) => `apps/${name}`),
  ];
  return [...paths, 'schemas', 'tools', 'e2e']
    .filter((path) => existsSync(join(root, path, 'package.json')))
    .map((path) => {
      const manifest = JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8'));
      return { path, name: manifest.name, kind: kindOf(path, manifest), manifest };
    });
}

function kindOf(path, manifest) {
  const tag = (prefix) =>
    (manifest.nx?.tags ?? []).find((each) => each.startsWith(prefix))?.slice(prefix.length);
  const type = tag('type:');
  return type === 'lib' ? `lib:${tag('scope:')}` : (type ?? path);
}

/** Specs, and what only they use: they may import @aura/testing and devDependencies. */
export const isSpec = (path) =>
  /\.spec\.[a-z]+$/.test(path) || /(^|\/)(test|e2e)\//.test(path) || /\/vitest\.[a-z.]+$/.test(path);
