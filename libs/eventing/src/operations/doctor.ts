import type { Finding } from './operations.js';

/** A part of the event path that can say what is wrong with it. */
export interface FindingSource {
  /** As a person calls it: `the relay`. */
  readonly name: string;
  findings(): Promise<readonly Finding[]>;
}

const RANK: Readonly<Record<Finding['severity'], number>> = { alarm: 0, warning: 1, note: 2 };

/**
 * All findings of all sources, alarms first. Never rejects, and ends within `timeoutMs`: a part that can't
 * say anything is a finding itself.
 */
export async function examine(
  sources: readonly FindingSource[],
  timeoutMs = 10_000,
): Promise<readonly Finding[]> {
  const found = await Promise.all(sources.map((source) => findingsOf(source, timeoutMs)));
  return found.flat().toSorted((a, b) => RANK[a.severity] - RANK[b.severity]);
}

async function findingsOf(source: FindingSource, timeoutMs: number): Promise<readonly Finding[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([source.findings(), late]);
  } catch (error) {
    return [unexamined(source.name, error)];
  } finally {
    clearTimeout(timer);
  }
}

function unexamined(name: string, error: unknown): Finding {
  const cause = error instanceof Error ? error.message : String(error);
  return {
    code: 'not-examined',
    severity: 'warning',
    subject: name,
    words: `${name} could not be looked at: ${cause}. Ask again when what it needs is there.`,
    command: undefined,
  };
}
