/** One step of the schema `aura`; its file says why, and which locks it takes. */
export interface Migration {
  readonly id: string;
  readonly sql: string;
}
