import { expect, it } from 'vitest';
import { codeOf, ConflictError, InvariantError, kindOf, TerminalError, TransientError } from './errors.js';

const sql = (code: string): Error => Object.assign(new Error('as Postgres says it'), { code });

it.each([
  [new TransientError('x'), 'transient'],
  [new ConflictError('x'), 'conflict'],
  [new TerminalError('x'), 'terminal'],
  [new InvariantError('x'), 'invariant'],
  [sql('40001'), 'conflict'],
  [sql('40P01'), 'conflict'],
  [sql('08006'), 'transient'],
  [sql('57P01'), 'transient'],
  [sql('55P03'), 'transient'],
  [sql('ECONNREFUSED'), 'transient'],
  [sql('23505'), undefined],
  [sql('42P01'), undefined],
  [new TypeError('a bug'), undefined],
  ['not an error', undefined],
])('%s is %s', (error, kind) => {
  expect(kindOf(error)).toBe(kind);
});

it('looks through causes and through TypeORM’s wrapper', () => {
  expect(kindOf(new Error('outer', { cause: new TerminalError('inner') }))).toBe('terminal');
  const wrapped = Object.assign(new Error('QueryFailedError'), { driverError: sql('40P01') });
  expect(kindOf(new Error('handler', { cause: wrapped }))).toBe('conflict');
  expect(codeOf(wrapped)).toBe('40P01');
});

it('ends on a cycle of causes', () => {
  const a = new Error('a');
  a.cause = a;
  expect(kindOf(a)).toBeUndefined();
});
