import type { OwnName } from './shop-saga.js';

/** No unique constraint on `effect`: a phase that takes effect twice has to show. */
const EFFECT = `create table effect (saga_id uuid not null,
  what text not null check (what in ('HELD', 'TAKEN', 'GIVEN BACK')),
  by text not null, at timestamptz not null default clock_timestamp());`;

/** How many pieces there are of what can be bought, of which there are few, and of what many want. */
export const PIECES = { plenty: 1_000_000, few: 40, last: 10 } as const;

export const SHOP_TABLES = `create table purchase (saga_id uuid primary key, reference text not null);`;

const SLOTS = `${EFFECT}
    create table slot (day text primary key, capacity int not null,
      held int not null default 0 check (held >= 0), booked int not null default 0 check (booked >= 0),
      check (held + booked <= capacity));
    insert into slot (day, capacity) values ('monday', ${PIECES.plenty});`;

export const PARTICIPANT_TABLES: Readonly<Record<OwnName, string>> = {
  stock: `${EFFECT}
    create table item (sku text primary key, total int not null,
      on_hand int not null check (on_hand >= 0), held int not null default 0 check (held >= 0),
      sold int not null default 0 check (sold >= 0), check (on_hand + held + sold = total));
    insert into item (sku, total, on_hand) select 'sku-' || n, ${PIECES.plenty}, ${PIECES.plenty}
      from generate_series(0, 3) as n;
    insert into item (sku, total, on_hand) select 'few-' || n, ${PIECES.few}, ${PIECES.few}
      from generate_series(0, 3) as n;
    insert into item (sku, total, on_hand) values ('gone', 0, 0), ('last', ${PIECES.last}, ${PIECES.last});`,
  money: `${EFFECT}
    create table entry (saga_id uuid not null, account text not null, cents int not null);`,
  slots: SLOTS,
  tailor: SLOTS,
};
