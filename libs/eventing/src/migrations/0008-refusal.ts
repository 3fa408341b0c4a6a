import type { Migration } from './migration.js';

/**
 * `aura.refuse(code, detail)` fails the statement that calls it, and with it the transaction: a statement
 * whose answer nobody waits for before COMMIT is sent says no by itself. `code`: an SQLSTATE
 * (unit-of-work/refusal.ts); `detail`: JSON for whoever catches it.
 *
 * Locks: none, it is a new function.
 */
export const refusal: Migration = {
  id: '0008-refusal',
  sql: `
create function aura.refuse(code text, detail jsonb) returns boolean
  language plpgsql volatile as $$
begin
  raise exception using errcode = code, message = 'refused by a statement of aura', detail = detail::text;
end $$;
`,
};
