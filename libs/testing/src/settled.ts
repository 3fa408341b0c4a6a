/**
 * Waits until `probe` gives something other than undefined, null or false, and returns it. Polls; the
 * condition ends the wait, never the time. Throws after `withinMs` with `what` and the last error, if any.
 */
export async function settled<T>(
  what: string,
  probe: () => Promise<T> | T,
  { withinMs = 40_000, everyMs = 10 }: { withinMs?: number; everyMs?: number } = {},
): Promise<Exclude<T, undefined | null | false>> {
  const end = performance.now() + withinMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await probe();
      if (value !== undefined && value !== null && value !== false)
        return value as Exclude<T, undefined | null | false>;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() > end) throw new Error(`${what}: not so within ${withinMs} ms`, { cause: last });
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
