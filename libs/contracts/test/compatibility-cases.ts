import type { AvroSchema } from '../src/event.js';

/** One question to a registry: may `later` join a subject that holds `earlier`? */
export interface CompatibilityCase {
  readonly name: string;
  readonly earlier: readonly AvroSchema[];
  readonly later: AvroSchema;
  /** Undefined: it may. Otherwise path and part of the reason that we give. */
  readonly refused?: readonly [path: string, reason: string];
}

const A = { name: 'a', type: 'string' };
const POINT = { type: 'record', name: 'Point', fields: [{ name: 'x', type: 'int' }] };
const WIDER_POINT = { ...POINT, fields: [...POINT.fields, { name: 'y', type: 'int' }] };
const POINT_Y0 = { ...POINT, fields: [...POINT.fields, { name: 'y', type: 'int', default: 0 }] };
const fixed = (size: number): object => ({ type: 'fixed', name: 'F', size });
const enumOf = (symbols: string[], more: object = {}): object => ({
  type: 'enum',
  name: 'E',
  symbols,
  ...more,
});

function record(...fields: object[]): AvroSchema {
  return { type: 'record', name: 'R', namespace: 'n', fields };
}
/** A field `v` of another type. */
function change(
  name: string,
  from: unknown,
  to: unknown,
  refused?: CompatibilityCase['refused'],
): CompatibilityCase {
  const [before, after] = [record(A, { name: 'v', type: from }), record(A, { name: 'v', type: to })];
  return { name, earlier: [before], later: after, ...(refused ? { refused } : {}) };
}
function revision(
  name: string,
  from: object[],
  to: object[],
  refused?: CompatibilityCase['refused'],
): CompatibilityCase {
  return { name, earlier: [record(...from)], later: record(...to), ...(refused ? { refused } : {}) };
}

const WITH = (more: object): object => ({ name: 'b', type: 'int', ...more });

export const CASES: readonly CompatibilityCase[] = [
  revision('the same again', [A], [A]),
  revision('a field with a default is added', [A], [A, WITH({ default: 0 })]),
  revision(
    'a field without a default is added',
    [A],
    [A, WITH({})],
    ['b', 'is not written and has no default (reading old'],
  ),
  revision('a field with a default is removed', [A, WITH({ default: 0 })], [A]),
  revision('a field without a default is removed', [A, WITH({})], [A], ['b', 'has no default (old readers']),
  revision('a default changes', [A, WITH({ default: 0 })], [A, WITH({ default: 1 })]),
  revision('a default is taken away', [A, WITH({ default: 0 })], [A, WITH({})]),
  revision('fields change places', [A, WITH({})], [WITH({}), A]),
  revision(
    'a field is renamed with an alias',
    [A, WITH({})],
    [A, { name: 'c', type: 'int', aliases: ['b'] }],
    ['b', 'old readers'],
  ),
  revision(
    'a field with defaults is renamed with an alias',
    [A, WITH({ default: 0 })],
    [A, { name: 'c', type: 'int', default: 0, aliases: ['b'] }],
  ),
  change('int becomes long', 'int', 'long', ['v', "long can't be read as int (old readers"]),
  change('long becomes int', 'long', 'int', ['v', "long can't be read as int (reading old"]),
  change('float becomes double', 'float', 'double', ['v', "double can't be read as float"]),
  change('string becomes bytes', 'string', 'bytes'),
  change('bytes becomes string', 'bytes', 'string'),
  change('string becomes int', 'string', 'int', ['v', "string can't be read as int"]),
  change('a type becomes nullable', 'string', ['null', 'string'], ['v', "null can't be read as string"]),
  change('a nullable loses null', ['null', 'string'], 'string', ['v', "null can't be read as string"]),
  change('the branches of a union change places', ['null', 'string'], ['string', 'null']),
  change(
    'a branch is added',
    ['null', 'string'],
    ['null', 'string', 'int'],
    ['v', 'no branch of the union reads int'],
  ),
  change('a branch is added that another one reads', ['null', 'long'], ['null', 'long', 'int']),
  change('a symbol is added', enumOf(['A']), enumOf(['A', 'B']), ['v', 'symbol B is unknown']),
  change(
    'a symbol is added to an enum with a default',
    enumOf(['A'], { default: 'A' }),
    enumOf(['A', 'B'], { default: 'A' }),
  ),
  change('a symbol is removed', enumOf(['A', 'B']), enumOf(['A']), ['v', 'symbol B is unknown']),
  change('symbols change places', enumOf(['A', 'B']), enumOf(['B', 'A'])),
  change('an enum is renamed', enumOf(['A']), { ...enumOf(['A']), name: 'E2' }, ['v', 'the names differ']),
  change('a fixed grows', fixed(4), fixed(5), ['v', 'fixed of 4 bytes read as 5']),
  change('a fixed stays', fixed(4), fixed(4)),
  change('items of an array change', { type: 'array', items: 'int' }, { type: 'array', items: 'string' }, [
    'v[]',
    "int can't be read as string",
  ]),
  change('values of a map change', { type: 'map', values: 'int' }, { type: 'map', values: 'string' }, [
    'v{}',
    "int can't be read as string",
  ]),
  change('an array becomes a map', { type: 'array', items: 'int' }, { type: 'map', values: 'int' }, [
    'v',
    "array can't be read as map",
  ]),
  change('a nested field is added', POINT, WIDER_POINT, ['v.y', 'has no default']),
  change('a nested field with a default is added', POINT, POINT_Y0),
  change(
    'a field is added within an array',
    { type: 'array', items: POINT },
    { type: 'array', items: WIDER_POINT },
    ['v[].y', 'has no default'],
  ),
  change(
    'a field is added within a nullable',
    ['null', POINT],
    ['null', WIDER_POINT],
    ['v', 'no branch of the union reads record n.Point'],
  ),
  change('a nested record is renamed', POINT, { ...POINT, name: 'Place' }, ['v', 'the names differ']),
  change('a logical type appears (bytes are the same)', 'long', {
    type: 'long',
    logicalType: 'timestamp-millis',
  }),
  {
    name: 'a recursive record grows by a field with a default',
    earlier: [record(A, { name: 'next', type: ['null', 'n.R'] })],
    later: record(A, { name: 'next', type: ['null', 'n.R'] }, WITH({ default: 0 })),
  },
  {
    name: 'a recursive record grows by a field without a default',
    earlier: [record(A, { name: 'next', type: ['null', 'n.R'] })],
    later: record(A, { name: 'next', type: ['null', 'n.R'] }, WITH({})),
    refused: ['b', 'has no default'],
  },
  {
    name: 'compatible with the latest, not with the one before (transitive)',
    earlier: [record(A, { name: 'v', type: 'int', default: 0 }), record(A)],
    later: record(A, { name: 'v', type: 'string', default: '' }),
    refused: ['v', "int can't be read as string"],
  },
];
