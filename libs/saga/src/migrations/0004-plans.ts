import type { Migration } from '@aura/eventing';

/**
 * What is fixed when a saga starts, apart from what every step writes (coordinator/saga-row.ts).
 *
 * Locks: it writes every saga once, about 50,000 a second, and nobody else writes one meanwhile.
 */
export const plans: Migration = {
  id: '0004-plans',
  sql: `
    alter table aura.saga add column plan jsonb;
    update aura.saga as s
       set plan = jsonb_build_object('deadline', s.state -> 'deadline',
             'attentionMs', s.state -> 'attentionMs', 'branches', split.fixed),
           state = jsonb_strip_nulls(s.state - '{deadline,attentionMs,branches}'::text[])
             || jsonb_build_object('branches', split.moved)
      from aura.saga as before
     cross join lateral (
       select coalesce(jsonb_agg(branch - '{state,cancelAsked,reply,refusal}'::text[] order by place), '[]')
                as fixed,
              coalesce(jsonb_agg(jsonb_strip_nulls(branch - '{name,type,owner,kind,after}'::text[])
                                 order by place), '[]') as moved
         from jsonb_array_elements(before.state -> 'branches') with ordinality as b(branch, place)) as split
     where before.id = s.id;
    alter table aura.saga alter column plan set not null;
  `,
};
