import { TransientError } from '@aura/platform';
import confluent from '@kafkajs/confluent-schema-registry';
import { transitiveProblems } from '../compatibility.js';
import { SchemaRefusedError, UnknownSchemaIdError } from '../errors.js';
import type { AvroSchema } from '../event.js';
import type { SchemaRegistry } from '../registry.js';
import { SchemaCache } from './schema-cache.js';

export interface ConfluentRegistryOptions {
  /** Base address of the Confluent-compatible API. */
  readonly url: string;
  readonly auth?: { readonly username: string; readonly password: string };
  /** For one HTTP request. Default 5,000. */
  readonly timeoutMs?: number;
}

const LEVEL = 'FULL_TRANSITIVE';
/** How often a refusal without a reason is taken for a race. */
const RACES = 3;
/** Asked one by one, after a refusal only. */
const MAX_VERSIONS = 100;

/**
 * The part of the client's own HTTP client that its public methods do not reach: raw schemas, and a
 * subject's level.
 */
interface RawApi {
  readonly Schema: { find(query: { id: number }): Promise<{ data(): { schema: string } }> };
  readonly Subject: {
    config(query: { subject: string }): Promise<{ data(): { compatibilityLevel: string } }>;
    updateConfig(query: { subject: string; body: { compatibility: string } }): Promise<unknown>;
    latestVersion(query: { subject: string }): Promise<{ data(): { schema: string; version: number } }>;
    version(query: { subject: string; version: number }): Promise<{ data(): { schema: string } }>;
  };
}

/**
 * A Confluent-compatible registry over HTTP. Requests are tried three times by the client; then
 * `TransientError`. Sets a subject's level to FULL_TRANSITIVE before its first schema and refuses to
 * register under another one.
 */
export class ConfluentRegistry implements SchemaRegistry {
  readonly #client: InstanceType<typeof confluent.SchemaRegistry>;
  readonly #api: RawApi;
  readonly #cache = new SchemaCache({
    fetchSchema: (id) => this.#fetch(id),
    registerSchema: (subject, schema) => this.#register(subject, schema),
  });

  readonly #ping: (timeoutMs: number) => Promise<Response>;

  constructor({ url, auth, timeoutMs = 5_000 }: ConfluentRegistryOptions) {
    this.#ping = pinging(url, auth);
    this.#client = new confluent.SchemaRegistry({
      host: url,
      ...(auth ? { auth } : {}),
      retry: { retries: 2, maxRetryTimeInSecs: 1, initialRetryTimeInSecs: 0.05 },
      middlewares: [
        () => ({
          prepareRequest: (next) => next().then((request) => request.enhance({ timeout: timeoutMs })),
        }),
      ],
    });
    // Its getSchema gives a compiled type without logical types, defaults' spelling and attributes: we need
    // the text.
    this.#api = (this.#client as unknown as { api: RawApi }).api;
  }

  register(subject: string, schema: AvroSchema): Promise<number> {
    return this.#cache.register(subject, schema);
  }

  schemaById(id: number): Promise<AvroSchema> {
    return this.#cache.schemaById(id);
  }

  async ping(timeoutMs: number): Promise<void> {
    let answer: Response;
    try {
      answer = await this.#ping(timeoutMs);
    } catch (cause) {
      throw new TransientError(`the schema registry did not answer within ${timeoutMs} ms`, { cause });
    }
    if (!answer.ok) throw new TransientError(`the schema registry answers with status ${answer.status}`);
  }

  async close(): Promise<void> {}

  async #fetch(id: number): Promise<AvroSchema> {
    try {
      return parse((await this.#api.Schema.find({ id })).data().schema);
    } catch (cause) {
      if (statusOf(cause) === 404) throw new UnknownSchemaIdError(id, { cause });
      throw away(`schema ${id} can't be fetched`, cause);
    }
  }

  async #register(subject: string, schema: AvroSchema): Promise<number> {
    try {
      await this.#setLevel(subject);
      return await this.#post(subject, schema, RACES);
    } catch (cause) {
      if (cause instanceof SchemaRefusedError) throw cause;
      if (statusOf(cause) === 422)
        throw new SchemaRefusedError(subject, [(cause as Error).message], { cause });
      throw away(`${subject} can't be registered`, cause);
    }
  }

  /**
   * A 409 is a refusal, or two first registrations at once (Apicurio): told apart by our own check, not by
   * the text.
   */
  async #post(subject: string, schema: AvroSchema, races: number): Promise<number> {
    const compatibility = confluent.COMPATIBILITY.FULL_TRANSITIVE;
    const confluentSchema = { type: confluent.SchemaType.AVRO as const, schema: JSON.stringify(schema) };
    try {
      return (await this.#client.register(confluentSchema, { subject, compatibility })).id;
    } catch (cause) {
      if (statusOf(cause) !== 409) throw cause;
      const problems = transitiveProblems(schema, await this.#versions(subject));
      if (problems.length === 0 && races > 0) return this.#post(subject, schema, races - 1);
      const reasons = problems.map(({ path, reason }) => (path === '' ? reason : `${path}: ${reason}`));
      throw new SchemaRefusedError(subject, reasons.length > 0 ? reasons : [(cause as Error).message], {
        cause,
      });
    }
  }

  /**
   * Before the first schema: registries start at BACKWARD or NONE, and the client refuses to differ. A 409
   * says that another service was setting it in the same moment (Apicurio): the level is read again.
   */
  async #setLevel(subject: string, races = RACES): Promise<void> {
    try {
      const { compatibilityLevel } = (await this.#api.Subject.config({ subject })).data();
      if (compatibilityLevel === LEVEL) return;
      throw new SchemaRefusedError(subject, [
        `its compatibility level is ${compatibilityLevel}: set it to ${LEVEL} in the registry`,
      ]);
    } catch (error) {
      if (statusOf(error) !== 404) throw error;
      await this.#createLevel(subject, races);
    }
  }

  async #createLevel(subject: string, races: number): Promise<void> {
    try {
      await this.#api.Subject.updateConfig({ subject, body: { compatibility: LEVEL } });
    } catch (error) {
      if (statusOf(error) !== 409 || races === 0) throw error;
      await this.#setLevel(subject, races - 1);
    }
  }

  /** Newest first. Registries word a refusal as they like, often without the field: we look for ourselves. */
  async #versions(subject: string): Promise<AvroSchema[]> {
    const latest = (await this.#api.Subject.latestVersion({ subject })).data();
    const schemas = [parse(latest.schema)];
    const oldest = Math.max(1, latest.version - MAX_VERSIONS);
    for (let version = latest.version - 1; version >= oldest; version--)
      schemas.push(parse((await this.#api.Subject.version({ subject, version })).data().schema));
    return schemas;
  }
}

/**
 * Asks for the level of all subjects: small, and kept where the schemas are. The client would ask three
 * times.
 */
function pinging(url: string, auth: ConfluentRegistryOptions['auth']) {
  const address = `${url.replace(/\/$/, '')}/config`;
  const headers: Record<string, string> = auth
    ? { authorization: `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString('base64')}` }
    : {};
  return async (timeoutMs: number): Promise<Response> => {
    const answer = await fetch(address, { headers, signal: AbortSignal.timeout(timeoutMs) });
    await answer.arrayBuffer(); // the connection is free again only then
    return answer;
  };
}

function parse(text: string): AvroSchema {
  return JSON.parse(text) as AvroSchema;
}

function statusOf(error: unknown): number | undefined {
  const status = (error as { status?: unknown }).status;
  return typeof status === 'number' ? status : undefined;
}

/**
 * The client reports a refused connection and a time-out as status 400, so that only a clear refusal is
 * final.
 */
function away(what: string, cause: unknown): TransientError {
  return new TransientError(`${what}: the schema registry does not answer as it should`, { cause });
}
