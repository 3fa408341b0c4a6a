import { expect, it } from 'vitest';
import { GroupCommit } from './group-commit.js';

/** Calls that end when they are told to. */
function slow() {
  const calls: { items: readonly string[]; end: (answers: readonly (string | Error)[]) => void }[] = [];
  const group = new GroupCommit<string, string>((items) => {
    const { promise, resolve } = Promise.withResolvers<readonly (string | Error)[]>();
    calls.push({ items, end: resolve });
    return promise;
  });
  return { group, calls };
}
const breath = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it('what is added in one breath is one call; what is added meanwhile is the next', async () => {
  const { group, calls } = slow();
  const first = Promise.all([group.add('a'), group.add('b')]);
  await breath();
  const second = Promise.all([group.add('c'), group.add('d')]);
  await breath();
  expect(calls.map(({ items }) => items)).toEqual([['a', 'b']]);
  expect(group.waiting).toBe(2);
  calls[0]?.end(['A', 'B']);
  expect(await first).toEqual(['A', 'B']);
  await breath();
  calls[1]?.end(['C', 'D']);
  expect(await second).toEqual(['C', 'D']);
  expect(calls).toHaveLength(2);
});

it('an error among the answers is of that item alone', async () => {
  const group = new GroupCommit<string, string>(async (items) =>
    items.map((item) => (item === 'bad' ? new Error('no') : item)),
  );
  const all = await Promise.allSettled([group.add('a'), group.add('bad'), group.add('c')]);
  expect(all.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
});

it('what a call throws is everybody’s, and the next call is made all the same', async () => {
  let calls = 0;
  const group = new GroupCommit<string, string>((items) =>
    ++calls === 1 ? Promise.reject(new Error('away')) : Promise.resolve(items),
  );
  const failed = await Promise.allSettled([group.add('a'), group.add('b')]);
  expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(await group.add('c')).toBe('c');
});

it('a call has at most 500 items', async () => {
  const sizes: number[] = [];
  const group = new GroupCommit<number, number>((items) => {
    sizes.push(items.length);
    return Promise.resolve(items);
  });
  await Promise.all(Array.from({ length: 1_001 }, (_, n) => group.add(n)));
  expect(sizes).toEqual([500, 500, 1]);
});
