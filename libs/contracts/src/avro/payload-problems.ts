/* oxlint-disable no-underscore-dangle -- the names are those of avsc */
import type { PayloadProblem } from '../errors.js';
import { isType, type AvscType } from './avsc-internals.js';
import { branchOf } from './safe-types.js';

/** An error message is for a person: more paths than this help nobody. */
export const MAX_PROBLEMS = 10;

/**
 * Every place where `value` does not fit `type`, in the schema's order, at most `MAX_PROBLEMS + 1` of them.
 */
export function payloadProblems(type: AvscType, value: unknown): PayloadProblem[] {
  const problems: PayloadProblem[] = [];
  collect(type, value, '', (path, reason) => problems.push({ path, reason }) <= MAX_PROBLEMS);
  return problems;
}

/** Notes a problem; false when there are enough. */
type Report = (path: string, reason: string) => boolean;

/** False to stop the walk. */
function collect(type: AvscType, value: unknown, path: string, report: Report): boolean {
  if (type.fields) return collectFields(type, value, path, report);
  if (type.types) return collectBranch(type, value, path, report);
  if (type.itemsType && Array.isArray(value)) {
    const { itemsType } = type;
    return value.every((item, i) => collect(itemsType, item, `${path}[${i}]`, report));
  }
  if (type.valuesType && isPlain(value)) {
    const { valuesType } = type;
    return Object.entries(value).every(([key, v]) =>
      collect(valuesType, v, `${path}[${JSON.stringify(key)}]`, report),
    );
  }
  return type._check(value) || report(path, `expected ${expectation(type)}, got ${shown(value)}`);
}

function collectFields(type: AvscType, value: unknown, path: string, report: Report): boolean {
  if (!isPlain(value)) return report(path, `expected ${expectation(type)}, got ${shown(value)}`);
  const fields = type.fields ?? [];
  const at = (name: string): string => (path === '' ? name : `${path}.${name}`);
  const known = new Set(fields.map((field) => field.name));
  return (
    fields.every((field) => {
      const given = (value as Record<string, unknown>)[field.name];
      if (given !== undefined) return collect(field.type, given, at(field.name), report);
      if (field.defaultValue() !== undefined) return true;
      return report(at(field.name), `expected ${expectation(field.type)}, got nothing`);
    }) &&
    Object.keys(value).every(
      (name) => known.has(name) || report(at(name), `no such field in ${type.name ?? 'the record'}`),
    )
  );
}

function collectBranch(union: AvscType, value: unknown, path: string, report: Report): boolean {
  const branches = union.types ?? [];
  if (value === null && branches.some((branch) => branch.typeName === 'null')) return true;
  if (isType(union, 'union:unwrapped')) {
    const other = branches.find((branch) => branch.typeName !== 'null');
    if (other && value !== null && value !== undefined) return collect(other, value, path, report);
  } else {
    const branch = branchOf(union, value);
    if (branch) {
      const inner = (value as Record<string, unknown>)[branch.name];
      return collect(branch.type, inner, `${path}[${JSON.stringify(branch.name)}]`, report);
    }
  }
  return report(path, `expected ${expectation(union)}, got ${shown(value)}`);
}

/** What a value of `type` looks like in TypeScript, for a message. */
function expectation(type: AvscType): string {
  if ('expectation' in type) return String(type.expectation);
  if (isType(type, 'union:unwrapped'))
    return (type.types ?? []).map((branch) => expectation(branch)).join(' or ');
  if (type.types)
    return type.types
      .map((b) => (b.typeName === 'null' ? 'null' : `{ ${JSON.stringify(b.branchName)}: ${expectation(b)} }`))
      .join(' or ');
  if (type.symbols) return `one of ${type.symbols.join(', ')}`;
  switch (type.typeName) {
    case 'abstract:long':
      return 'long (a bigint)';
    case 'int':
      return 'int (32 bits)';
    case 'string':
      return 'string (well-formed Unicode)';
    case 'bytes':
      return 'bytes (a Buffer)';
    case 'fixed':
      return `fixed (a Buffer of ${type.size} bytes)`;
    case 'record':
      return `record ${type.name ?? ''}`.trimEnd();
    default:
      return type.typeName;
  }
}

function isPlain(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A short picture of the value; never a whole payload in a log. */
function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value !== 'object') return `a ${typeof value}`;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'an invalid Date' : 'a Date';
  if (Buffer.isBuffer(value)) return `a Buffer of ${value.length} bytes`;
  return 'an object';
}
