import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ConfigError, configTable, defineConfig, type Environment } from './config.js';
import { unknownVariables, variableOf } from './names.js';
import { Secret } from './secret.js';
import { flag, integer, list, secret } from './settings.js';

const MINIMAL = {
  AURA_DATABASE_URL: 'postgres://aura:hunter2@db/gateway',
  AURA_LOG_URL: 'postgres://aura:hunter2@db/log',
};
const plain = defineConfig('gateway');

function problemsOf(environment: Environment): readonly string[] {
  try {
    plain.load(environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('config', () => {
  it('reads what is given, and takes defaults for the rest', () => {
    const config = plain.load({ ...MINIMAL, AURA_HTTP_PORT: '8080', PATH: '/bin', AURA_LOG_LEVEL: '' });
    expect(config.name).toBe('gateway');
    expect(config.httpPort).toBe(8080);
    expect(config.httpHost).toBe('127.0.0.1');
    expect(config.logLevel).toBe('info');
    expect(config.databaseUrl.reveal()).toBe(MINIMAL.AURA_DATABASE_URL);
  });

  it('C1: reports every problem at once', () => {
    const problems = problemsOf({
      AURA_HTTP_PORT: '99999',
      AURA_LOG_LEVEL: 'loud',
      AURA_OTLP_ENDPOINT: 'ftp://collector',
      AURA_TRACE_SAMPLE_RATIO: '1.5',
      AURA_SERVICE_TOKEN_SECRET: 'short',
      AURA_DATABSE_URL: 'postgres://x/y',
    });
    expect(problems).toEqual([
      'AURA_DATABSE_URL is not a setting: did you mean AURA_DATABASE_URL?',
      'AURA_HTTP_PORT must be at most 65535',
      "AURA_DATABASE_URL is missing: The service's own database.",
      'AURA_LOG_LEVEL must be one of trace, debug, info, warn, error, fatal, silent',
      'AURA_OTLP_ENDPOINT must be a URL that starts with http:// or https://',
      'AURA_TRACE_SAMPLE_RATIO must be a number from 0 to 1',
      'AURA_SERVICE_TOKEN_SECRET is shorter than 32',
    ]);
  });

  it.each(['0', '0.1', '.25', '1', '1.0'])('takes %s as a share', (text) => {
    const config = plain.load({ ...MINIMAL, AURA_TRACE_SAMPLE_RATIO: text });
    expect(config.traceSampleRatio).toBe(Number(text));
  });

  it.each(['-0.1', '1.01', '10 %', '1e-1', '0,5', 'NaN'])('refuses %s as a share', (text) => {
    expect(problemsOf({ ...MINIMAL, AURA_TRACE_SAMPLE_RATIO: text })).toEqual([
      'AURA_TRACE_SAMPLE_RATIO must be a number from 0 to 1',
    ]);
  });

  it('C2: no message contains a value', () => {
    const value = 'tr0ub4dor';
    const every = Object.fromEntries(plain.describe().map(({ variable }) => [variable, value]));
    const problems = problemsOf(every);
    expect(problems.length).toBeGreaterThan(8);
    expect(problems.join('\n')).not.toContain(value);
  });

  it('C3: refuses a near miss, and only speaks of what is far from everything', () => {
    const spoken: string[] = [];
    plain.load(
      {
        ...MINIMAL,
        AURA_GATEWAY_PORT_3000_TCP_ADDR: '10.0.0.1',
        AURA_TEST_PG_URL: 'x',
        AURA_SEED: '7',
        AURA_PG_URL: 'x',
        AURA_HOME: '/x',
      },
      (sentence) => spoken.push(sentence),
    );
    expect(spoken).toHaveLength(1);
    expect(spoken[0]).toContain('AURA_GATEWAY_PORT_3000_TCP_ADDR is not a setting of gateway and is ignored');
    expect(problemsOf({ ...MINIMAL, AURA_BROKER: 'a:9092' })).toEqual([
      'AURA_BROKER is not a setting: did you mean AURA_BROKERS?',
    ]);
  });

  it('C4: what was loaded is frozen, lists included', () => {
    const config = plain.load({ ...MINIMAL, AURA_BROKERS: 'a:1, b:2' });
    expect(config.brokers).toEqual(['a:1', 'b:2']);
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.brokers)).toBe(true);
  });

  it('asks for what the chosen log needs', () => {
    const { AURA_LOG_URL: _, ...withoutLog } = MINIMAL;
    expect(problemsOf(withoutLog)).toEqual(['AURA_LOG_URL is missing: the log is postgres']);
    expect(problemsOf({ ...MINIMAL, AURA_LOG_KIND: 'kafka' })).toEqual([
      'AURA_BROKERS is missing: the log is kafka',
      'AURA_REGISTRY_URL is missing: the log is kafka',
    ]);
  });

  it('reads a value from a file, without its last line end', () => {
    const folder = mkdtempSync(join(tmpdir(), 'config-'));
    try {
      const file = join(folder, 'url');
      writeFileSync(file, 'postgres://from/file\n');
      const { AURA_DATABASE_URL: _, ...rest } = MINIMAL;
      const config = plain.load({ ...rest, AURA_DATABASE_URL_FILE: file });
      expect(config.databaseUrl.reveal()).toBe('postgres://from/file');
      expect(problemsOf({ ...MINIMAL, AURA_DATABASE_URL_FILE: file })).toEqual([
        'AURA_DATABASE_URL and AURA_DATABASE_URL_FILE are both set: keep one',
      ]);
      expect(problemsOf({ ...rest, AURA_DATABASE_URL_FILE: join(folder, 'none') })).toEqual([
        `AURA_DATABASE_URL_FILE names a file that can't be read (ENOENT): ${join(folder, 'none')}`,
      ]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("takes a service's own settings beside the common ones", () => {
    const own = defineConfig('gateway', {
      photoLimitBytes: integer(1, 100).default(10).describe('Largest photo.'),
      strict: flag().default(false).describe('Whether it is strict.'),
      formats: list().default(['jpeg']).describe('Formats.'),
      providerKey: secret().describe('Key of the provider.'),
    });
    const config = own.load({ ...MINIMAL, AURA_STRICT: '1', AURA_PROVIDER_KEY: 'k3y' });
    expect(config.photoLimitBytes).toBe(10);
    expect(config.strict).toBe(true);
    expect(config.providerKey.reveal()).toBe('k3y');
    expect(() => own.load({ ...MINIMAL, AURA_STRICT: 'perhaps', AURA_PHOTO_LIMIT_BYTES: '1e3' })).toThrow(
      /LIMIT_BYTES must be a whole number\n.*STRICT must be one of 0, 1, .*\n.*PROVIDER_KEY is missing/,
    );
  });

  it('refuses a setting without a description, or with a common name', () => {
    expect(() => defineConfig('x', { mute: z.string() })).toThrow('setting mute of x has no description');
    expect(() => defineConfig('x', { httpPort: z.string().describe('p') })).toThrow('is a common one');
  });

  it('describes every setting as a table', () => {
    const table = configTable(plain);
    expect(table).toContain('| `AURA_HTTP_HOST` | `127.0.0.1` |  | Address to listen on.');
    expect(table).toContain("| `AURA_DATABASE_URL` |  | required, secret | The service's own database. |");
    expect(table).toContain('| `AURA_SERVICE_TOKEN_SECRET` |  | secret |');
  });
});

describe('a secret', () => {
  it('is not in text, JSON, inspect or a template', () => {
    const hidden = new Secret('hunter2');
    const config = plain.load(MINIMAL);
    const seen = [
      String(hidden),
      JSON.stringify({ hidden }),
      inspect({ hidden }),
      inspect(config),
      JSON.stringify(config),
    ];
    expect(seen.join()).not.toContain('hunter2');
    expect(JSON.stringify({ hidden })).toBe('{"hidden":"***"}');
    expect(hidden.reveal()).toBe('hunter2');
  });
});

describe('names', () => {
  it('turns a setting into a variable', () => {
    expect(variableOf('AURA_', 'databaseUrl')).toBe('AURA_DATABASE_URL');
    expect(variableOf('AURA_', 'brokers')).toBe('AURA_BROKERS');
  });

  it('tells slips from strangers', () => {
    const known = ['AURA_DATABASE_URL', 'AURA_BROKERS'];
    const slips = (variable: string): boolean | undefined =>
      unknownVariables('AURA_', [variable], known)[0]?.slip;
    expect(slips('AURA_DATABSE_URL')).toBe(true);
    expect(slips('AURA_DATABASEURL')).toBe(true);
    expect(slips('AURA_SOMETHING_ELSE')).toBe(false);
    expect(slips('AURA_DATABASE_URL')).toBeUndefined();
    expect(slips('OTHER_DATABASE_URL')).toBeUndefined();
  });
});
