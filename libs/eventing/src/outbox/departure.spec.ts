import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Departure } from './departure.js';

let told = 0;
let departure: Departure;
beforeEach(() => {
  vi.useFakeTimers();
  told = 0;
  departure = new Departure(() => told++);
});
afterEach(() => {
  departure.stop();
  vi.useRealTimers();
});

describe('when the relay is told of a commit', () => {
  it('at once where something of it may not wait', () => {
    departure.committed(0);
    departure.committed(0);
    expect(told).toBe(2);
  });

  it('by itself where all may wait: after its time, once', () => {
    departure.committed(50);
    vi.advanceTimersByTime(49);
    expect(told).toBe(0);
    vi.advanceTimersByTime(1_000);
    expect(told).toBe(1);
  });

  it('with the next that may not wait, and not again for itself', () => {
    departure.committed(50);
    departure.committed(0);
    vi.advanceTimersByTime(1_000);
    expect(told).toBe(1);
  });

  it('the first that is due takes all others with it, whoever came first', () => {
    departure.committed(50);
    vi.advanceTimersByTime(10);
    departure.committed(20);
    departure.committed(50); // and so on for ever: nothing puts off what waits already
    vi.advanceTimersByTime(20);
    expect(told).toBe(1);
    vi.advanceTimersByTime(1_000);
    expect(told).toBe(1);
  });

  it('what is committed after that waits for its own time', () => {
    departure.committed(50);
    vi.advanceTimersByTime(50);
    departure.committed(80);
    vi.advanceTimersByTime(79);
    expect(told).toBe(1);
    vi.advanceTimersByTime(1);
    expect(told).toBe(2);
  });

  it('not any more once it was stopped', () => {
    departure.committed(50);
    departure.stop();
    vi.advanceTimersByTime(1_000);
    expect(told).toBe(0);
  });
});
