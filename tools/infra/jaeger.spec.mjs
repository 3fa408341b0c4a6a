import { describe, expect, it } from 'vitest';
import { isNewEnough } from './go.mjs';
import { jaegerConfig } from './jaeger-config.mjs';
import { givenJaeger } from './jaeger.mjs';

describe('the Go that builds Jaeger', () => {
  it.each([
    ['go1.24', true],
    ['go1.24.6', true],
    ['go1.26.8', true],
    ['go2.0', true],
    ['devel go1.27-abcdef', true],
    ['go1.23.12', false],
    ['go1.9', false],
    ['', false],
  ])('%s: %s', (version, will) => expect(isNewEnough(version)).toBe(will));
});

describe('a given Jaeger', () => {
  it.each([
    [{}, null],
    [{ JAEGER_URL: '' }, null],
    [{ AURA_OTLP_ENDPOINT: 'http://c:1' }, null],
    [{ JAEGER_URL: 'http://j:16686' }, { url: 'http://j:16686', otlpEndpoint: 'http://j:4318' }],
    [
      { JAEGER_URL: 'https://j/jaeger/', AURA_OTLP_ENDPOINT: 'http://c:1' },
      { url: 'https://j/jaeger', otlpEndpoint: 'http://c:1' },
    ],
  ])('%o is %o', (environment, given) => expect(givenJaeger(environment)).toEqual(given));

  it.each(['localhost:16686', 'http://', 'ftp://j'])('%s is refused', (JAEGER_URL) => {
    expect(() => givenJaeger({ JAEGER_URL })).toThrow(`JAEGER_URL=${JAEGER_URL} is no URL.`);
  });
});

it('J1: a Jaeger of our own listens on 127.0.0.1 only', () => {
  const endpoints = [...jaegerConfig({ port: 1, otlpPort: 2 }).matchAll(/"endpoint": "(.*)"/g)];
  expect(endpoints.map(([, endpoint]) => endpoint)).toEqual(['127.0.0.1:1', '127.0.0.1:0', '127.0.0.1:2']);
});
