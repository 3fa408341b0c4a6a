// Every runtime dependency has its reason in docs/dependencies.md, and nothing else stands there.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CLONE, report } from './sources.mjs';
import { workspace } from './workspace.mjs';

const PAGE = 'docs/dependencies.md';

/** The page's rows against the dependencies that the projects declare. Pure. */
export function dependencyRows(page, declared) {
  const findings = [];
  const rows = new Map();
  page.split('\n').forEach((text, index) => {
    const name = /^\| `([^`]+)` +\|/.exec(text)?.[1];
    if (name) rows.set(name, index + 1);
  });
  for (const [name, where] of declared)
    if (!rows.has(name))
      findings.push({
        path: where,
        what: `${name} is not explained`,
        cure: `Add a row with the reason to ${PAGE}.`,
      });
  for (const [name, line] of rows)
    if (!declared.has(name))
      findings.push({ path: PAGE, line, what: `${name} is no dependency`, cure: 'Take the row out.' });
  return findings;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const projects = workspace();
  const declared = new Map();
  for (const { path, manifest } of projects)
    for (const name of Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }))
      if (!projects.some((each) => each.name === name)) declared.set(name, `${path}/package.json`);
  report(
    'docs',
    dependencyRows(readFileSync(join(CLONE, PAGE), 'utf8'), declared),
    `${declared.size} dependencies`,
  );
}
