/** A trace as a tree, out of what Jaeger's query API gives (`/api/v3`: OTLP as JSON). Pure. */

export type TagValue = string | number | boolean | readonly TagValue[] | undefined;
export type Tags = Readonly<Record<string, TagValue>>;

export interface SpanRef {
  readonly traceId: string;
  readonly spanId: string;
}

export interface SpanNode extends SpanRef {
  /** Undefined where the span has none. A root that has one: the parent was not recorded, or is elsewhere. */
  readonly parentId: string | undefined;
  readonly service: string;
  readonly operation: string;
  readonly kind: 'unspecified' | 'internal' | 'server' | 'client' | 'producer' | 'consumer';
  readonly failed: boolean;
  /** Since 1970 (ns). */
  readonly startedAt: bigint;
  readonly endedAt: bigint;
  readonly tags: Tags;
  readonly events: readonly { readonly name: string; readonly tags: Tags }[];
  readonly links: readonly SpanRef[];
  /** In the order in which they started, as everywhere here. */
  readonly children: readonly SpanNode[];
}

export interface Trace {
  readonly traceId: string;
  readonly roots: readonly SpanNode[];
  /** All of them. */
  readonly spans: readonly SpanNode[];
}

/** What is read of OTLP's JSON. 64-bit numbers are text there, ids hexadecimal. */
export interface OtlpTraces {
  readonly resourceSpans?: readonly {
    readonly resource?: { readonly attributes?: readonly OtlpAttribute[] };
    readonly scopeSpans?: readonly { readonly spans?: readonly OtlpSpan[] }[];
  }[];
}

interface OtlpSpan extends SpanRef {
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind?: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes?: readonly OtlpAttribute[];
  readonly events?: readonly { readonly name: string; readonly attributes?: readonly OtlpAttribute[] }[];
  readonly links?: readonly SpanRef[];
  readonly status?: { readonly code?: number };
}

interface OtlpAttribute {
  readonly key: string;
  readonly value?: OtlpValue;
}

interface OtlpValue {
  readonly stringValue?: string;
  readonly boolValue?: boolean;
  readonly intValue?: string | number;
  readonly doubleValue?: number;
  readonly arrayValue?: { readonly values?: readonly OtlpValue[] };
}

const KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'] as const;
const ERROR = 2;

/** The spans of one trace as a tree. A span that came twice (a repeated export) is one. */
export function traceOf(traceId: string, { resourceSpans = [] }: OtlpTraces): Trace {
  const nodes = new Map<string, SpanNode & { children: SpanNode[] }>();
  for (const { resource, scopeSpans = [] } of resourceSpans) {
    const service = String(tagsOf(resource?.attributes)['service.name'] ?? '');
    for (const span of scopeSpans.flatMap(({ spans = [] }) => spans))
      if (span.traceId === traceId) nodes.set(span.spanId, nodeOf(service, span));
  }
  const spans = [...nodes.values()].toSorted(byStart);
  const roots: SpanNode[] = [];
  for (const span of spans) (nodes.get(span.parentId ?? '')?.children ?? roots).push(span);
  return { traceId, roots, spans };
}

/**
 * A line per span, indented below its parent: `checkout: prepare (failed) +2`, where 2 are its links. For a
 * failed test's message, and for comparing shapes where order in time is certain.
 */
export function outline({ roots }: Trace): string {
  const lines = (nodes: readonly SpanNode[], indent: string): string[] =>
    nodes.flatMap(({ service, operation, failed, links, children }) => [
      [`${indent}${service}: ${operation}`, failed && '(failed)', links.length > 0 && `+${links.length}`]
        .filter(Boolean)
        .join(' '),
      ...lines(children, `${indent}  `),
    ]);
  return lines(roots, '').join('\n');
}

/** Those above a span, its parent first. */
export function ancestorsOf({ spans }: Trace, { parentId }: SpanNode): SpanNode[] {
  const parent = spans.find(({ spanId }) => spanId === parentId);
  return parent ? [parent, ...ancestorsOf({ traceId: '', roots: [], spans }, parent)] : [];
}

function nodeOf(service: string, span: OtlpSpan): SpanNode & { children: SpanNode[] } {
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    parentId: span.parentSpanId || undefined,
    service,
    operation: span.name,
    kind: KINDS[span.kind ?? 0] ?? 'unspecified',
    failed: span.status?.code === ERROR,
    startedAt: BigInt(span.startTimeUnixNano),
    endedAt: BigInt(span.endTimeUnixNano),
    tags: tagsOf(span.attributes),
    events: (span.events ?? []).map(({ name, attributes }) => ({ name, tags: tagsOf(attributes) })),
    links: (span.links ?? []).map(({ traceId, spanId }) => ({ traceId, spanId })),
    children: [],
  };
}

function tagsOf(attributes: readonly OtlpAttribute[] = []): Tags {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, valueOf(value)]));
}

function valueOf(value: OtlpValue = {}): TagValue {
  if (value.arrayValue) return (value.arrayValue.values ?? []).map(valueOf);
  if (value.intValue !== undefined) return Number(value.intValue);
  return value.stringValue ?? value.boolValue ?? value.doubleValue;
}

function byStart(a: SpanNode, b: SpanNode): number {
  return a.startedAt < b.startedAt ? -1 : Number(a.startedAt > b.startedAt);
}
