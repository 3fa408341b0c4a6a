/**
 * Configuration from the environment: read once, checked wholly, frozen.
 *
 * - C1 every problem is reported at once, by variable, with what to do;
 * - C2 a value is never part of a message: it might be a secret;
 * - C3 a variable that is nearly a known one is refused ("did you mean"), not ignored;
 * - C4 what was loaded can't change.
 */
import { readFileSync } from 'node:fs';
import { TerminalError } from '@aura/platform';
import { z } from 'zod';
import { COMMON_SETTINGS, missingForLog } from './common.js';
import { unknownVariables, variableOf } from './names.js';

export type Environment = Readonly<Record<string, string | undefined>>;

type Common = z.output<z.ZodObject<typeof COMMON_SETTINGS>>;
/** The settings of a service: the common ones, its own (none by default), and its name. Deeply frozen. */
export type Config<S extends z.ZodRawShape = typeof COMMON_SETTINGS> = Readonly<
  { name: string } & Common & z.output<z.ZodObject<S>>
>;

/** One setting, for people: see `describe`. */
export interface SettingDescription {
  readonly variable: string;
  readonly meaning: string;
  readonly required: boolean;
  readonly secret: boolean;
  /** As it would be written in the environment; undefined where there is none. */
  readonly default: string | undefined;
}

export interface ConfigDefinition<S extends z.ZodRawShape = typeof COMMON_SETTINGS> {
  /**
   * The service's name: consumer group, issuer of tokens, service in traces. Part of the code, not a
   * setting.
   */
  readonly name: string;
  /**
   * Reads the settings. Throws `ConfigError` with all problems. `warn` hears of variables that belong to
   * nobody.
   */
  load(environment: Environment, warn?: (sentence: string) => void): Config<S>;
  /** Every setting, the common ones first. */
  describe(): readonly SettingDescription[];
}

/** Some settings can't be used. Its message lists every problem; no value is in it. */
export class ConfigError extends TerminalError {
  constructor(
    service: string,
    readonly problems: readonly string[],
  ) {
    super(
      `${service} can't start, its configuration has ` +
        `${problems.length} problem${problems.length > 1 ? 's' : ''}:\n` +
        problems.map((problem) => `  - ${problem}`).join('\n'),
    );
  }
}

const PREFIX = 'AURA_';
/** Read by the tests, the tools and the demo, not by a service. */
const NOT_OURS = /^AURA_((TEST|REQUIRE|DEMO)_|(SEED|HOME|PG_URL|SERVICES|OPERATOR)$)/;

/**
 * Declares a service's settings: camelCase names, each with a description. `photoLimitBytes` is read from
 * `AURA_PHOTO_LIMIT_BYTES`, or from the file that `AURA_PHOTO_LIMIT_BYTES_FILE` names. An empty variable
 * counts as unset.
 */
export function defineConfig<S extends z.ZodRawShape = typeof COMMON_SETTINGS>(
  name: string,
  settings: S = {} as S,
): ConfigDefinition<S> {
  const shape: z.ZodRawShape = { ...COMMON_SETTINGS, ...settings };
  for (const [setting, schema] of Object.entries(shape)) {
    if (setting in COMMON_SETTINGS && setting in settings)
      throw new Error(`setting ${setting} of ${name} is a common one: choose another name`);
    if (!meta(schema).description) throw new Error(`setting ${setting} of ${name} has no description`);
  }
  return {
    name,
    load(environment, warn = () => undefined) {
      return loadConfig(name, shape, environment, warn) as Config<S>;
    },
    describe: () => Object.entries(shape).map(([setting, schema]) => describeSetting(setting, schema)),
  };
}

function loadConfig(
  name: string,
  shape: z.ZodRawShape,
  environment: Environment,
  warn: (sentence: string) => void,
): object {
  const problems: string[] = [];
  const known = Object.keys(shape).flatMap((setting) => {
    const variable = variableOf(PREFIX, setting);
    return [variable, `${variable}_FILE`];
  });
  const present = Object.keys(environment).filter((variable) => !NOT_OURS.test(variable));
  for (const { variable, nearest, slip } of unknownVariables(PREFIX, present, known)) {
    if (slip) problems.push(`${variable} is not a setting: did you mean ${nearest}?`);
    else warn(`${variable} is not a setting of ${name} and is ignored; the nearest is ${nearest}`);
  }
  const values: Record<string, unknown> = { name };
  for (const [setting, schema] of Object.entries(shape)) {
    const variable = variableOf(PREFIX, setting);
    const given = rawValue(environment, variable, problems);
    if (given === null) continue;
    const result = z.safeParse(schema, given);
    if (result.success) values[setting] = result.data;
    else if (given === undefined) problems.push(`${variable} is missing: ${meta(schema).description}`);
    else problems.push(...result.error.issues.map((issue) => `${variable} ${wordsOf(issue)}`));
  }
  const { logKind } = values as { logKind?: 'postgres' | 'kafka' };
  if (problems.length === 0 && logKind)
    for (const setting of missingForLog({ ...values, logKind }))
      problems.push(`${variableOf(PREFIX, setting)} is missing: the log is ${logKind}`);
  if (problems.length > 0) throw new ConfigError(name, problems);
  return deepFreeze(values);
}

/**
 * What a variable or its file says; undefined where neither does, null where it can't be read (and a
 * problem is noted).
 */
function rawValue(environment: Environment, variable: string, problems: string[]): string | undefined | null {
  const direct = environment[variable] || undefined;
  const file = environment[`${variable}_FILE`] || undefined;
  if (file === undefined) return direct;
  if (direct !== undefined) {
    problems.push(`${variable} and ${variable}_FILE are both set: keep one`);
    return null;
  }
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '') || undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    problems.push(`${variable}_FILE names a file that can't be read (${code}): ${file}`);
    return null;
  }
}

function wordsOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_value') return `must be one of ${issue.values.join(', ')}`;
  if (issue.code === 'too_small')
    return issue.origin === 'string' ? `is shorter than ${issue.minimum}` : issue.message;
  return issue.message;
}

function describeSetting(setting: string, schema: z.core.$ZodType): SettingDescription {
  const { description = '', secret } = meta(schema);
  const empty = z.safeParse(schema, undefined);
  const fallback = empty.success ? empty.data : undefined;
  return {
    variable: variableOf(PREFIX, setting),
    meaning: description,
    required: !empty.success,
    secret,
    default: fallback === undefined ? undefined : asText(fallback),
  };
}

function asText(value: unknown): string {
  if (Array.isArray(value)) return value.join(',');
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/**
 * Description and secrecy of a schema, through the wrappers that `.default()` and `.optional()` put around
 * it.
 */
function meta(schema: z.core.$ZodType): { description: string | undefined; secret: boolean } {
  let description: string | undefined;
  let secret = false;
  for (let at: z.core.$ZodType | undefined = schema; at; at = innerOf(at)) {
    const own = z.globalRegistry.get(at);
    description ??= own?.description;
    secret ||= own?.['secret'] === true;
  }
  return { description, secret };
}

function innerOf(schema: z.core.$ZodType): z.core.$ZodType | undefined {
  return schema instanceof z.ZodDefault || schema instanceof z.ZodOptional ? schema.unwrap() : undefined;
}

function deepFreeze<T extends object>(value: T): T {
  for (const part of Object.values(value))
    if (typeof part === 'object' && part !== null && !Object.isFrozen(part)) deepFreeze(part as object);
  return Object.freeze(value);
}

/** The settings as a Markdown table, for a README. */
export function configTable(definition: Pick<ConfigDefinition, 'describe'>): string {
  const rows = definition.describe().map(({ variable, meaning, required, secret, default: fallback }) => {
    const notes = [required ? 'required' : '', secret ? 'secret' : '']
      .filter((note) => note !== '')
      .join(', ');
    return `| \`${variable}\` | ${fallback === undefined ? '' : `\`${fallback}\``} | ${notes} | ${meaning} |`;
  });
  return ['| variable | default | | meaning |', '| --- | --- | --- | --- |', ...rows].join('\n');
}
