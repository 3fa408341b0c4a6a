import { ParentBasedSampler, type Sampler, TraceIdRatioBasedSampler } from '@opentelemetry/sdk-trace';

/**
 * Which traces are recorded: `ratio` (0 to 1) of those that begin here, and every one whose caller or cause
 * recorded it. So a trace is whole across services or not there at all: who begins it decides, and what it
 * decided travels in `traceparent`, through outbox and log too. Ids are made either way, for the log lines.
 */
export function samplerOf(ratio: number): Sampler {
  return new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) });
}
