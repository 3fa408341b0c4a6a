/** Why the relay has stopped, for every replica to show. The only statements on `aura.relay_finding`. */
import { run, statement, type Queryable } from '@aura/platform';
import { subjectOf, wordsOf, type TimeFinding } from './time-went-backwards.js';

const KEEP = statement(
  'relay_finding_keep',
  `with gone as (delete from aura.relay_finding where code <> all($1::text[]))
   insert into aura.relay_finding as kept (code, subject, words, details)
   select code, subject, words, details::jsonb
     from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as found(code, subject, words, details)
       on conflict (code) do update
          set subject = excluded.subject, words = excluded.words, details = excluded.details`,
);
const LIST = statement(
  'relay_finding_list',
  'select code, subject, words, details from aura.relay_finding order by found_at, code',
);
const DELETE = statement('relay_finding_delete', 'delete from aura.relay_finding where code = $1');

export interface KeptFinding {
  readonly code: TimeFinding['code'];
  readonly subject: string;
  readonly words: string;
  readonly details: TimeFinding;
}

/** What was found last is what there is; nothing, after a clean check. */
export async function keepFindings(db: Queryable, findings: readonly TimeFinding[]): Promise<void> {
  await run(db, KEEP, [
    findings.map(({ code }) => code),
    findings.map(subjectOf),
    findings.map(wordsOf),
    findings.map((finding) => JSON.stringify(finding, integersMarked)),
  ]);
}

export async function listFindings(db: Queryable): Promise<KeptFinding[]> {
  const rows = await run<{ code: TimeFinding['code']; subject: string; words: string; details: unknown }>(
    db,
    LIST,
  );
  return rows.map((row) => ({
    ...row,
    details: JSON.parse(JSON.stringify(row.details), integersBack) as TimeFinding,
  }));
}

export async function dropFinding(db: Queryable, code: string): Promise<void> {
  await run(db, DELETE, [code]);
}

/** JSON can't carry 64 bits: `{ "n": "…" }` is an integer. */
function integersMarked(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? { n: String(value) } : value;
}

function integersBack(_name: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('n' in value)) return value;
  return typeof value.n === 'string' ? BigInt(value.n) : value;
}
