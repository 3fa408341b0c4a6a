import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The gateway's first tables. Locks: none, all is new. */
export class Photos1764000000000 implements MigrationInterface {
  readonly name = 'Photos1764000000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table photo (
        id uuid primary key,
        content_hash text not null check (length(content_hash) = 64),
        media_type text not null check (media_type in ('JPEG', 'PNG', 'WEBP')),
        width int not null check (width > 0),
        height int not null check (height > 0),
        bytes bytea not null,
        received_at timestamptz not null
      )`);
    // JPEGs do not get smaller: keep Postgres from trying.
    await runner.query('alter table photo alter column bytes set storage external');
    await runner.query(`
      create table analysis (
        id uuid primary key references photo (id),
        state text not null check (state in ('received', 'analysing', 'done', 'failed')),
        steps jsonb not null,
        result jsonb,
        failure jsonb
      )`);
    await runner.query(`
      create table idempotency_key (
        key text primary key,
        request_hash text not null,
        photo_id uuid not null references photo (id),
        used_at timestamptz not null
      )`);
  }

  /** Forward only. */
  async down(): Promise<void> {
    throw new Error('migrations go forward only: restore a backup instead');
  }
}
