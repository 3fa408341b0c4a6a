import { describe, expect, it } from 'vitest';
import { Turns } from './turns.js';

describe('turns', () => {
  it('lets in as many as there are places, then queues, then refuses', async () => {
    const turns = new Turns(1, 1);
    expect(await turns.enter()).toBe(true);
    const second = turns.enter();
    expect(await turns.enter()).toBe(false);
    turns.leave();
    expect(await second).toBe(true);
  });

  it('keeps the order of arrival', async () => {
    const turns = new Turns(1, 8);
    await turns.enter();
    const order: number[] = [];
    const waiting = [1, 2, 3].map(async (n) => {
      await turns.enter();
      order.push(n);
      turns.leave();
    });
    turns.leave();
    await Promise.all(waiting);
    expect(order).toEqual([1, 2, 3]);
  });

  it('gives the place in the queue up when aborted, with the reason', async () => {
    const turns = new Turns(1, 1);
    await turns.enter();
    const abort = new AbortController();
    const waiting = turns.enter(abort.signal);
    abort.abort(new Error('gone home'));
    await expect(waiting).rejects.toThrow('gone home');
    const next = turns.enter();
    turns.leave();
    expect(await next).toBe(true);
  });

  it('refuses one that was aborted before', async () => {
    await expect(new Turns(1, 1).enter(AbortSignal.abort(new Error('too late')))).rejects.toThrow('too late');
  });
});
