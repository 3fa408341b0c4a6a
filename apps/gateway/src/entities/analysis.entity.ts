import { Column, Entity, PrimaryColumn } from 'typeorm';

export type AnalysisState = 'received' | 'analysing' | 'done' | 'failed';

/** One step of an analysis, as a person would watch it. */
export interface Step {
  readonly name: 'received' | 'analysing' | 'done' | 'failed';
  /** The service that did it. */
  readonly service: string;
  /** ISO 8601, by that service's clock. */
  readonly at: string;
}

/** What the gateway knows of the analysis of one photo: a read model of image-analysis' events. */
@Entity('analysis')
export class Analysis {
  /** The photo's id. */
  @PrimaryColumn({ type: 'uuid' })
  id!: string;

  @Column({ type: 'text' })
  state!: AnalysisState;

  @Column({ type: 'jsonb' })
  steps!: Step[];

  /** The payload of PhotoAnalysed, without what the photo already says. */
  @Column({ type: 'jsonb', nullable: true })
  result!: object | null;

  @Column({ type: 'jsonb', nullable: true })
  failure!: { reason: string; detail: string } | null;
}
