// One event's schema -> TypeScript: what a reader gets (`PhotoAnalysed`), what a publisher gives where that
// differs (`PhotoAnalysedInput`: fields with a default may be left out), nested types named after the
// event, and its token.

const PRIMITIVES = {
  null: 'null',
  boolean: 'boolean',
  int: 'number',
  long: 'bigint',
  float: 'number',
  double: 'number',
  bytes: 'Buffer',
  string: 'string',
};
/** Logical types with a form of their own; see the table in libs/contracts/src/avro.ts. */
const LOGICAL = {
  'timestamp-millis': ['Date', 'long'],
  date: ['string', 'int'],
  uuid: ['string', 'string', 'fixed'],
  decimal: ['string', 'bytes', 'fixed'],
};
const LOGICAL_DOC = { date: 'YYYY-MM-DD', uuid: 'UUID', decimal: 'Decimal' };

/** The folder of the events that any service may publish: `SharedEvent`s. */
export const SHARED = 'aura';

/**
 * @param {{ event: string, service: string, version: number, schema: any }} file the newest revision
 * @param {any[]} earlier the schemas of its older revisions
 * @returns {string} TypeScript, not yet formatted
 */
export function eventSource({ event, service, version, schema }, earlier) {
  const names = new Map();
  collectNames(schema, schema.namespace ?? '', event, names);
  const out = [];
  for (const { node, name, namespace } of names.values()) {
    if (node.type === 'enum') out.push(`${docOf(node)}export type ${name} = ${literals(node.symbols)};`);
    if (node.type !== 'record') continue;
    out.push(interfaceOf(node, name, namespace, names, false));
    if (hasDefaults(node, namespace, names)) out.push(interfaceOf(node, name, namespace, names, true));
  }
  const input = hasDefaults(schema, schema.namespace ?? '', names) ? `${event}Input` : event;
  const generics = input === event ? event : `${event}, ${input}`;
  const { doc, type, make, definition } = tokenOf({ service, version, schema }, earlier);
  out.push(`/** ${text(schema.doc)} ${doc} Newest revision: ${version}. */
export const ${event}: ${type}<${generics}> = ${make}<${generics}>(${JSON.stringify(definition)});`);
  return out.join('\n\n');
}

/** What a schema's file stands for: a branch of sagas, an event of any service, or an event of one. */
function tokenOf({ service, version, schema }, earlier) {
  const kind = schema['aura.branch'];
  if (kind !== undefined) {
    const coordinators = schema['aura.coordinators'];
    const doc = `A branch (${kind}), for sagas of ${coordinators.join(', ')}.`;
    const definition = { service, kind, coordinators, version, schema, earlier };
    return { doc, type: 'BranchType', make: 'defineBranch', definition };
  }
  const keyField = schema['aura.key'];
  const doc = `Key: \`${keyField}\`.`;
  const definition = { version, keyField, schema };
  if (service === SHARED) return { doc, type: 'SharedEvent', make: 'defineSharedEvent', definition };
  return { doc, type: 'EventType', make: 'defineEvent', definition: { service, ...definition } };
}

/** Named types by full name, in the order of the schema. */
function collectNames(node, namespace, event, names) {
  if (Array.isArray(node)) for (const branch of node) collectNames(branch, namespace, event, names);
  if (node === null || typeof node !== 'object' || Array.isArray(node)) return;
  const inner = node.name === undefined ? namespace : namespaceIn(node, namespace);
  if (node.name !== undefined) {
    const short = node.name.slice(node.name.lastIndexOf('.') + 1);
    names.set(fullName(short, inner), {
      node,
      namespace: inner,
      name: short.startsWith(event) ? short : `${event}${short}`,
    });
  }
  for (const field of node.fields ?? []) collectNames(field.type, inner, event, names);
  collectNames(node.items, inner, event, names);
  collectNames(node.values, inner, event, names);
}

function interfaceOf(node, name, namespace, names, input) {
  const fields = node.fields.map((field) => {
    const optional = input && 'default' in field ? '?' : '';
    const doc = docOf({ doc: fieldDoc(field, input) });
    return `${doc}readonly ${field.name}${optional}: ${typeOf(field.type, namespace, names, input)};`;
  });
  const what = input
    ? `What a publisher gives of \`${name}\`: fields with a default may be left out.`
    : node.doc;
  return `${docOf({ doc: what })}export interface ${name}${input ? 'Input' : ''} {\n${fields.join('\n')}\n}`;
}

function fieldDoc({ doc, type, ...field }, input) {
  const hint = LOGICAL_DOC[type?.logicalType];
  const scale = type?.logicalType === 'decimal' ? ` with ${type.scale ?? 0} digits after the point` : '';
  const fallback = input && 'default' in field ? `Default: \`${JSON.stringify(field.default)}\`.` : '';
  return [doc, hint && `${hint}${scale}.`, fallback].filter(Boolean).join(' ');
}

function typeOf(node, namespace, names, input) {
  if (typeof node === 'string') return PRIMITIVES[node] ?? namedType(node, namespace, names, input);
  if (Array.isArray(node)) return unionType(node, namespace, names, input);
  const [logical, ...underlying] = LOGICAL[node.logicalType] ?? [];
  if (logical && underlying.includes(node.type)) return logical;
  if (node.type === 'array') return `readonly (${typeOf(node.items, namespace, names, input)})[]`;
  if (node.type === 'map') return `Readonly<Record<string, ${typeOf(node.values, namespace, names, input)}>>`;
  if (node.type === 'fixed') return 'Buffer';
  return typeOf(node.name ?? node.type, namespace, names, input);
}

function namedType(reference, namespace, names, input) {
  const { node, name, namespace: inner } = names.get(fullName(reference, namespace));
  if (node.type === 'fixed') return node.logicalType in LOGICAL ? LOGICAL[node.logicalType][0] : 'Buffer';
  return input && node.type === 'record' && hasDefaults(node, inner, names) ? `${name}Input` : name;
}

/** `T | null` for [null, T]; otherwise the wrapped form. */
function unionType(branches, namespace, names, input) {
  const type = (branch) => typeOf(branch, namespace, names, input);
  if (branches.length === 2 && branches.includes('null')) return branches.map(type).join(' | ');
  return branches
    .map((b) =>
      b === 'null' ? 'null' : `{ readonly ${JSON.stringify(branchName(b, namespace))}: ${type(b)} }`,
    )
    .join(' | ');
}

function branchName(branch, namespace) {
  if (typeof branch === 'string') return branch in PRIMITIVES ? branch : fullName(branch, namespace);
  return branch.name === undefined ? branch.type : fullName(branch.name, namespaceIn(branch, namespace));
}

/** Whether a publisher's form of this record differs: it, or a record in it, has a default. */
function hasDefaults(node, namespace, names, seen = new Set()) {
  if (seen.has(node)) return false;
  seen.add(node);
  return node.fields.some(
    (field) =>
      'default' in field ||
      recordsIn(field.type, namespace, names).some((r) => hasDefaults(r.node, r.namespace, names, seen)),
  );
}

function recordsIn(node, namespace, names) {
  if (Array.isArray(node)) return node.flatMap((branch) => recordsIn(branch, namespace, names));
  if (typeof node === 'string') {
    const named = names.get(fullName(node, namespace));
    return named?.node.type === 'record' ? [named] : [];
  }
  if (node.type === 'record') return [{ node, namespace: namespaceIn(node, namespace) }];
  return [node.items, node.values].filter(Boolean).flatMap((n) => recordsIn(n, namespace, names));
}

function namespaceIn(node, namespace) {
  const dot = node.name.lastIndexOf('.');
  return dot > 0 ? node.name.slice(0, dot) : (node.namespace ?? namespace);
}

function fullName(name, namespace) {
  return name.includes('.') || namespace === '' ? name : `${namespace}.${name}`;
}

function literals(symbols) {
  return symbols.map((symbol) => `'${symbol}'`).join(' | ');
}

function docOf({ doc }) {
  return doc ? `/** ${text(doc)} */\n` : '';
}

/** A doc must not end its comment. */
function text(doc) {
  return doc.replaceAll('*/', '* /').replaceAll(/\s+/g, ' ').trim();
}
