/**
 * The books that the two services keep. No table has a unique constraint that would hide an event
 * applied twice: it has to show.
 */
export const ORDERS_TABLES = `
create table counter (key text primary key, n int not null);
create table cause (id uuid primary key, key text not null, n int not null);
-- after: the counter of the answer before this one, of its key and kind
create table answer (
  seq bigint generated always as identity, kind text not null, id uuid not null, key text not null,
  n int not null,
  after int
);
create table last_answer (key text not null, kind text not null, n int not null, primary key (key, kind));
`;

export const STOCK_TABLES = `
create table effect (
  seq bigint generated always as identity, id uuid not null, key text not null, n int not null, after int
);
create table last_effect (key text primary key, n int not null);
create table packed (id uuid not null, key text not null, n int not null);
-- of the naive stock only
create table naive_offset (
  topic text, partition int, next_offset bigint not null, primary key (topic, partition)
);
`;
