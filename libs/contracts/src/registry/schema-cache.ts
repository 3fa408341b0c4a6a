import { LRUCache } from 'lru-cache';
import type { AvroSchema } from '../event.js';
import { fingerprintOf } from '../fingerprint.js';

const MAX_SCHEMAS = 1_024;
/**
 * How long a subject's id is believed: a registry rebuilt under a running relay is asked again after this.
 */
const REGISTERED_TTL_MS = 60_000;

/**
 * What both adapters remember. One question at a time per id and per schema: a batch of events of an
 * unknown schema asks once. Failures are not remembered.
 */
export class SchemaCache {
  readonly #byId = new LRUCache<number, AvroSchema>({ max: MAX_SCHEMAS });
  readonly #ids = new LRUCache<string, number>({ max: MAX_SCHEMAS, ttl: REGISTERED_TTL_MS });
  readonly #asked = new Map<string, Promise<unknown>>();

  constructor(
    private readonly source: {
      fetchSchema(id: number): Promise<AvroSchema>;
      registerSchema(subject: string, schema: AvroSchema): Promise<number>;
    },
  ) {}

  async schemaById(id: number): Promise<AvroSchema> {
    return (
      this.#byId.get(id) ??
      this.#once(`id ${id}`, async () => {
        const schema = await this.source.fetchSchema(id);
        this.#byId.set(id, schema);
        return schema;
      })
    );
  }

  async register(subject: string, schema: AvroSchema): Promise<number> {
    const key = `${subject} ${fingerprintOf(schema)}`;
    return (
      this.#ids.get(key) ??
      this.#once(key, async () => {
        const id = await this.source.registerSchema(subject, schema);
        this.#ids.set(key, id);
        return id;
      })
    );
  }

  #once<T>(question: string, ask: () => Promise<T>): Promise<T> {
    const asked = this.#asked.get(question) as Promise<T> | undefined;
    if (asked) return asked;
    const answer = ask().finally(() => this.#asked.delete(question));
    this.#asked.set(question, answer);
    return answer;
  }
}
