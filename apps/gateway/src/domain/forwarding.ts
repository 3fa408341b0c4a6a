/**
 * Pure: what is passed on to the service that owns a route, and back.
 *
 * - F1 a request goes to the owner's own host and to the path that was routed, whatever the client wrote: a
 *   path with `.` or `..` in it is none, since it would be another one there;
 * - F2 headers go through by name, so that hop-by-hop ones, cookies and credentials can't.
 */

/** The services behind the gateway. */
export type Owner = 'checkout' | 'inventory' | 'delivery' | 'payments';

const TO_OWNER = ['accept', 'accept-language', 'idempotency-key', 'if-match', 'if-none-match'] as const;
const TO_CLIENT = [
  'allow',
  'cache-control',
  'content-language',
  'content-type',
  'etag',
  'last-modified',
  'location',
  'retry-after',
  'vary',
] as const;

const DOT_SEGMENT = /(?:^|[/\\])(?:\.|%2e){1,2}(?:[/\\]|$)/i;

/** Where a request goes; undefined where its path is none. `search` is empty or begins with `?`. */
export function targetOf(ownerUrl: string, path: string, search: string): string | undefined {
  if (DOT_SEGMENT.test(path)) return undefined;
  const target = new URL(ownerUrl);
  target.pathname = `${target.pathname.replace(/\/$/, '')}${path}`;
  target.search = search;
  return target.href;
}

/** Of a request, what its owner is told. */
export function headersToOwner(sent: Readonly<Record<string, unknown>>): Record<string, string> {
  const known = TO_OWNER.flatMap((name) => {
    const value = sent[name];
    return typeof value === 'string' ? [[name, value] as const] : [];
  });
  return Object.fromEntries(known);
}

/** Of the owner's answer, what the client is told. */
export function headersToClient(answered: Headers): Record<string, string> {
  const known = TO_CLIENT.flatMap((name) => {
    const value = answered.get(name);
    return value === null ? [] : [[name, value] as const];
  });
  return Object.fromEntries(known);
}
