// Reads schemas/<service>/<Event>.v<N>.avsc and checks what one file alone can say. Errors name file, field
// and reason.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const FILE = /^([A-Z][A-Za-z0-9]*)\.v([1-9]\d*)\.avsc$/;
/** Not services: generated code, build output and packages. */
const NOT_A_SERVICE = new Set(['src', 'test', 'dist', 'out-tsc', 'coverage', 'node_modules', 'workflows']);
/** Types that a key may have: their text is the same in every language. */
const KEY_TYPES = ['string', 'long', 'uuid (a string)'];

/**
 * @typedef {{ file: string, service: string, event: string, version: number, schema: any }} SchemaFile
 * @param {string} folder the folder `schemas`
 * @returns {{ files: SchemaFile[], problems: string[] }} files by service, event and version
 */
export function readSchemaFiles(folder) {
  const files = [];
  const problems = [];
  const services = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !NOT_A_SERVICE.has(entry.name) && !entry.name.startsWith('.'))
    .map((entry) => entry.name)
    .toSorted();
  for (const service of services)
    for (const name of readdirSync(join(folder, service)).toSorted()) {
      const file = `${service}/${name}`;
      const [, event, version] = FILE.exec(name) ?? [];
      if (!event) problems.push(`${file}: a schema's file is named <Event>.v<N>.avsc, <Event> in PascalCase`);
      else {
        const schema = parse(join(folder, file), file, problems);
        if (schema) files.push({ file, service, event, version: Number(version), schema });
      }
    }
  files.sort((a, b) => order(a.service, b.service) || order(a.event, b.event) || a.version - b.version);
  for (const file of files) problems.push(...ownProblems(file));
  return { files, problems: [...problems, ...versionProblems(files), ...nameProblems(files)] };
}

/** A service's name as an Avro namespace, which knows no hyphen: image-analysis -> image_analysis. */
export function namespaceOf(service) {
  return service.replaceAll('-', '_');
}

function parse(path, file, problems) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    problems.push(`${file}: not JSON: ${error.message}`);
    return undefined;
  }
}

function ownProblems({ file, service, event, schema }) {
  const problems = [];
  const say = (text) => problems.push(`${file}: ${text}`);
  if (schema.type !== 'record' || !Array.isArray(schema.fields)) {
    say('an event, or the input of a branch, is a record with fields');
    return problems;
  }
  if (schema.name !== event) say(`name is ${JSON.stringify(schema.name)}, the file says ${event}`);
  if (schema.namespace !== namespaceOf(service))
    say(`namespace is ${JSON.stringify(schema.namespace)}, the folder asks for "${namespaceOf(service)}"`);
  if (typeof schema.doc !== 'string' || schema.doc.trim() === '')
    say('doc is missing: say what has happened');
  if (schema['aura.branch'] !== undefined) return [...problems, ...branchProblems({ file, schema })];
  const key = schema['aura.key'];
  const field = schema.fields.find(({ name }) => name === key);
  if (key === undefined) say('"aura.key" is missing: it names the field that order is kept by');
  else if (!field) say(`"aura.key" names ${JSON.stringify(key)}, which is no field`);
  else if (!isKeyType(field.type))
    say(`field ${key} is the key: it has to be ${KEY_TYPES.join(', ')}, not ${JSON.stringify(field.type)}`);
  else if ('default' in field) say(`field ${key} is the key: it is required, so it has no default`);
  return problems;
}

const BRANCH_KINDS = ['reservable', 'external', 'compensatable', 'retriable', 'pivot'];

/** The contract of a branch has no key, its saga's id is that; it says who may ask for it. */
function branchProblems({ file, schema }) {
  const problems = [];
  const { 'aura.branch': kind, 'aura.coordinators': coordinators } = schema;
  if (!BRANCH_KINDS.includes(kind))
    problems.push(`${file}: "aura.branch" is ${JSON.stringify(kind)}, not one of ${BRANCH_KINDS.join(', ')}`);
  const named = Array.isArray(coordinators) && coordinators.every((name) => typeof name === 'string' && name);
  if (!named || coordinators.length === 0)
    problems.push(
      `${file}: "aura.coordinators" is missing: the services whose sagas may ask for this branch`,
    );
  if (schema['aura.key'] !== undefined)
    problems.push(`${file}: a branch has no "aura.key": its key is its saga's id`);
  return problems;
}

function isKeyType(type) {
  const { type: base, logicalType } = typeof type === 'string' ? { type } : type;
  if (base === 'string') return logicalType === undefined || logicalType === 'uuid';
  return base === 'long' && logicalType === undefined;
}

/** N counts from 1 without a hole: a missing revision is a revision that nobody checks against. */
function versionProblems(files) {
  const problems = [];
  for (const [index, { file, service, event, version }] of files.entries()) {
    const before = files[index - 1];
    const expected = before?.service === service && before.event === event ? before.version + 1 : 1;
    if (version !== expected)
      problems.push(`${file}: v${expected} is missing: revisions count from 1 without a hole`);
  }
  return problems;
}

/** One package exports all tokens: an event's name is unique in the system. */
function nameProblems(files) {
  const owner = new Map();
  const problems = [];
  for (const { file, service, event } of files) {
    const other = owner.get(event) ?? service;
    if (other !== service) problems.push(`${file}: ${other} has an event of this name too; names are unique`);
    owner.set(event, other);
  }
  return problems;
}

function order(a, b) {
  return a < b ? -1 : Number(a > b);
}
