import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { Category, Colour, Formality, Pattern, Season, Size } from '../domain/vocabulary.js';

/** What the catalogue says of a garment. Written by `CatalogueLoader` only. */
@Entity('garment')
export class Garment {
  @PrimaryColumn({ type: 'text' })
  sku!: string;

  @Column({ type: 'text' })
  name!: string;

  @Column({ type: 'text' })
  category!: Category;

  /** The one that covers most first. */
  @Column({ type: 'text', array: true })
  colours!: Colour[];

  @Column({ type: 'text' })
  pattern!: Pattern;

  @Column({ type: 'text' })
  formality!: Formality;

  @Column({ type: 'text', array: true })
  seasons!: Season[];

  /** Those that the catalogue offers now, smallest first. */
  @Column({ type: 'text', array: true })
  sizes!: Size[];

  @Column({ name: 'price_cents', type: 'int' })
  priceCents!: number;

  /** False: no longer in the catalogue. It can't be bought any more. */
  @Column({ type: 'boolean' })
  offered!: boolean;
}
