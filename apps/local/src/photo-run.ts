import { openAsBlob } from 'node:fs';
import { basename } from 'node:path';
import { TerminalError } from '@aura/platform';
import { createParser } from 'eventsource-parser';

export interface Step {
  readonly name: string;
  readonly service: string;
  /** ISO 8601. */
  readonly at: string;
  /** Since the step before; for the first, since the request was sent (ms). */
  readonly ms: number;
}

/** The gateway's answer, as far as the demo shows it. */
export interface Analysis {
  readonly id: string;
  readonly state: string;
  readonly result: {
    readonly model: string;
    readonly durationMs: number;
    readonly garment: {
      readonly present: boolean;
      readonly box: { left: number; top: number; right: number; bottom: number } | null;
    };
    readonly palette: readonly { readonly name: string; readonly hex: string; readonly share: number }[];
    readonly pattern: { readonly kind: string; readonly confidence: number };
    readonly brightness: number;
    readonly contrast: number;
    readonly temperature: string;
    readonly formality: { readonly level: string; readonly reasons: readonly string[] };
  } | null;
  readonly failure: { readonly reason: string; readonly detail: string } | null;
}

export interface PhotoRun {
  readonly analysis: Analysis;
  readonly steps: readonly Step[];
  /** From sending the photo to having the answer. */
  readonly totalMs: number;
  /** Undefined where none is recorded. */
  readonly traceId: string | undefined;
}

/**
 * Sends a photo and watches its analysis. Throws `TerminalError` with the gateway's own words when it
 * refuses the photo.
 */
export async function sendPhoto(
  gatewayUrl: string,
  file: string,
  signal: AbortSignal,
  onStep: (step: Step) => void,
): Promise<PhotoRun> {
  const started = performance.now();
  const sentAt = Date.now();
  const form = new FormData();
  form.set('photo', await openAsBlob(file), basename(file));
  const answer = await fetch(`${gatewayUrl}/photos`, { method: 'POST', body: form, signal });
  const body = (await answer.json()) as { events: string; detail?: string; title?: string };
  if (answer.status !== 202)
    throw new TerminalError(`the gateway refused ${file}: ${body.detail ?? body.title}`);

  const steps: Step[] = [];
  const traceId = answer.headers.get('traceresponse')?.split('-')[1];
  let last = sentAt;
  for await (const event of eventsOf(`${gatewayUrl}${body.events}`, signal)) {
    if (event.type === 'analysis') {
      const totalMs = Math.round(performance.now() - started);
      return { analysis: event.data as Analysis, steps, totalMs, traceId };
    }
    const { name, service, at } = event.data as Omit<Step, 'ms'>;
    const step = { name, service, at, ms: Math.max(0, Date.parse(at) - last) };
    last = Date.parse(at);
    steps.push(step);
    onStep(step);
  }
  throw new TerminalError('the gateway ended the stream before the analysis was done');
}

/** Server-sent events, coming back after a broken connection with what was seen last. */
async function* eventsOf(url: string, signal: AbortSignal): AsyncGenerator<{ type: string; data: unknown }> {
  let lastId = '';
  for (let breaks = 0; breaks < 50; breaks++) {
    const found: { type: string; data: unknown }[] = [];
    const parser = createParser({
      onEvent({ id, event, data }) {
        if (id !== undefined) lastId = id;
        found.push({ type: event ?? 'message', data: JSON.parse(data) });
      },
    });
    const headers = lastId === '' ? {} : { 'Last-Event-ID': lastId };
    const response = await fetch(url, { headers, signal });
    if (!response.ok || !response.body) throw new TerminalError(`${url} answered ${response.status}`);
    const text = new TextDecoder();
    for await (const chunk of response.body) {
      parser.feed(text.decode(chunk as Uint8Array, { stream: true }));
      yield* found.splice(0);
      signal.throwIfAborted();
    }
  }
}
