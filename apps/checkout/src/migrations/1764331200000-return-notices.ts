import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What buyers are told of their returns, one notice per return. Locks: none, all is new. No foreign key to
 * `purchase`: a notice can't be refused, whatever became of the purchase's row.
 */
export class ReturnNotices1764331200000 implements MigrationInterface {
  readonly name = 'ReturnNotices1764331200000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table return_notice (
        return_id uuid not null,
        branch text not null,
        purchase_id uuid not null,
        items jsonb not null,
        refund_cents int not null,
        currency text not null,
        noticed_at timestamptz not null,
        primary key (return_id, branch)
      );
      create index return_notice_of_purchase on return_notice (purchase_id, noticed_at)`);
  }

  /** Forward only. */
  async down(): Promise<void> {
    throw new Error('migrations go forward only: restore a backup instead');
  }
}
