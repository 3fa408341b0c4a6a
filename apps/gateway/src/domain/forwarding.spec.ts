import { describe, expect, it } from 'vitest';
import { headersToClient, headersToOwner, targetOf } from './forwarding.js';

describe('a request that is passed on', () => {
  it('goes to the owner, with path and query as they were written', () => {
    expect(targetOf('http://inventory:8421', '/garments/SHI-1%2F2', '?colour=light%20blue&size=M')).toBe(
      'http://inventory:8421/garments/SHI-1%2F2?colour=light%20blue&size=M',
    );
    expect(targetOf('https://shop.test/stock/', '/garments', '')).toBe('https://shop.test/stock/garments');
  });

  it.each(['/garments/..', '/garments/%2e%2E', '/garments/.%2e', '/garments/%2E', '/garments/a\\..\\b'])(
    'F1: goes nowhere with the path %s, which would be another one there',
    (path) => {
      expect(targetOf('http://inventory', path, '')).toBeUndefined();
    },
  );

  it.each(['//evil.test/x', '/@evil.test', '/http://evil.test'])(
    'F1: keeps the owner’s host (%s)',
    (path) => {
      expect(new URL(targetOf('http://inventory', path, '') ?? '').host).toBe('inventory');
    },
  );

  it('F2: takes along what is known, and neither cookies, credentials nor hop-by-hop headers', () => {
    const sent = {
      'idempotency-key': 'k',
      accept: 'application/json',
      connection: 'keep-alive, x-own',
      'x-own': '1',
      cookie: 'a=b',
      authorization: 'Bearer t',
      host: 'gateway',
      'transfer-encoding': 'chunked',
      'set-cookie': ['a', 'b'],
    };
    expect(headersToOwner(sent)).toEqual({ 'idempotency-key': 'k', accept: 'application/json' });
    const answered = new Headers({
      'content-type': 'application/problem+json',
      'retry-after': '2',
      location: '/purchases/1',
      connection: 'close',
      'keep-alive': 'timeout=5',
      'content-length': '9',
      'set-cookie': 'a=b',
      server: 'x',
    });
    expect(headersToClient(answered)).toEqual({
      'content-type': 'application/problem+json',
      'retry-after': '2',
      location: '/purchases/1',
    });
  });
});
