/** A Jaeger for tests: where it comes from, and what it has been told. */
import { answersAsJaeger, givenJaeger, startTestJaeger, type JaegerAddresses } from '@aura/tools/jaeger';
import { traceOf, type OtlpTraces, type Trace } from './trace-tree.js';

/** The most traces of one service that `byTag` gives. */
const MOST = 1_000;
const PATIENCE_MS = 10_000;

export interface TestJaeger extends JaegerAddresses {
  readonly traces: JaegerTraces;
  /** Ends it, unless it was given. */
  stop(): Promise<void>;
}

/**
 * The given Jaeger (`JAEGER_URL`), or one of this run's own, started here (see `startTestJaeger`). Gives a
 * sentence instead where none can be had, to skip by; with `AURA_REQUIRE_JAEGER` it throws.
 */
export async function testJaeger(): Promise<TestJaeger | string> {
  try {
    const given = givenJaeger();
    const silent = given && (await answersAsJaeger(given));
    if (silent) throw new Error(`JAEGER_URL is set, but ${silent} does not answer as a Jaeger does`);
    if (given) return { ...given, traces: new JaegerTraces(given.url), stop: async () => undefined };
    const own = await startTestJaeger();
    return { ...own, traces: new JaegerTraces(own.url), stop: async () => void (await own.stop()) };
  } catch (error) {
    if (process.env['AURA_REQUIRE_JAEGER'] || !(error instanceof Error && error.name === 'Problem'))
      throw error;
    return error.message;
  }
}

/**
 * Reads traces back over Jaeger's query API. What was sent is there a moment later (services send every
 * second, and at their stop): wait with `settled` for the span that comes last, not for a time.
 */
export class JaegerTraces {
  constructor(private readonly url: string) {}

  /**
   * Whole traces with at least one span, of any service, that has this tag; at most 1,000 for each service,
   * the latest first. Throws where Jaeger does not answer with success.
   */
  async byTag(name: string, value: string): Promise<Trace[]> {
    const tags = JSON.stringify({ [name]: value });
    const ids = new Set<string>();
    for (const service of await this.services()) {
      const query = new URLSearchParams({ service, tags, limit: String(MOST) });
      const { data } = await this.#get<{ data: { traceID: string }[] }>(`/api/traces?${query.toString()}`);
      for (const { traceID } of data) ids.add(traceID);
    }
    const found = await Promise.all([...ids].map((id) => this.byId(id)));
    return found.filter((trace) => trace !== undefined);
  }

  /** Undefined where Jaeger has no such trace (yet, or any more). */
  async byId(traceId: string): Promise<Trace | undefined> {
    // Not /api/traces/ID: there, a link to the parent swallows the parent.
    const answer = await this.#get<{ result: OtlpTraces } | null>(`/api/v3/traces/${traceId}`);
    return answer ? traceOf(traceId, answer.result) : undefined;
  }

  async services(): Promise<string[]> {
    return (await this.#get<{ data: string[] | null }>('/api/services')).data ?? [];
  }

  async #get<T>(path: string): Promise<T> {
    const response = await fetch(`${this.url}${path}`, { signal: AbortSignal.timeout(PATIENCE_MS) });
    const text = await response.text();
    if (response.status === 404) return null as T;
    if (!response.ok) throw new Error(`${this.url}${path} answered ${response.status}: ${text}`);
    return JSON.parse(text) as T;
  }
}
