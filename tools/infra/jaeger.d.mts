export interface JaegerAddresses {
  /** Of its pages and its query API (`/api/traces`, `/api/v3/traces`). */
  readonly url: string;
  /** For `AURA_OTLP_ENDPOINT`: OTLP over HTTP. */
  readonly otlpEndpoint: string;
}

export interface JaegerServer extends JaegerAddresses {
  readonly pid: number;
  /** Stops it; true when it ran. Its traces are gone: they are in memory only. */
  stop(): Promise<boolean>;
}

export interface JaegerOptions {
  /** Its folder: settings, log, and `jaeger.json`, which other processes find it by. */
  readonly dir: string;
  /** Whether it takes the ports 16686 and 4318 where they are free; default true. Else any free ones. */
  readonly usualPorts?: boolean;
  /** Whether it may be built where it was not yet, which takes minutes; default true. */
  readonly build?: boolean;
  /** Aborted: building and starting fail, and nothing stays running. */
  readonly signal?: AbortSignal;
}

/**
 * Starts a Jaeger in `dir`, or finds the one that runs there. It outlives this process: whoever starts it
 * stops it. It has the query API but no pages: those are not in its Go module. Rejects with a `Problem` where
 * it can't be built, is not built and may not be, or does not come up.
 */
export function startJaeger(options: JaegerOptions): Promise<JaegerServer>;

/** What runs in a folder; null when nothing was ever started there. */
export function jaegerStatus(options: {
  readonly dir: string;
}): (JaegerAddresses & { readonly running: boolean; readonly pid: number }) | null;

/** Stops what runs in a folder, whoever started it; false when nothing did. */
export function stopJaeger(options: { readonly dir: string }): Promise<boolean>;

/**
 * One of a test run's own, on free ports, in a temporary folder that `stop` removes. Where it was not built
 * yet, it is built only with `AURA_REQUIRE_JAEGER` set: a person's first `npm test` should not wait
 * for that. Rejects with a `Problem` otherwise.
 */
export function startTestJaeger(options?: {
  readonly signal?: AbortSignal;
}): Promise<JaegerServer & { readonly dir: string }>;

/**
 * The Jaeger that the environment gives: `JAEGER_URL`, with its OTLP at `AURA_OTLP_ENDPOINT` or on port 4318
 * of the same host. Null without `JAEGER_URL`; throws a `Problem` where that is no URL.
 */
export function givenJaeger(
  environment?: Readonly<Record<string, string | undefined>>,
): JaegerAddresses | null;

/** Which of its two addresses does not answer as Jaeger's do; null where both do. */
export function answersAsJaeger(jaeger: JaegerAddresses): Promise<string | null>;
