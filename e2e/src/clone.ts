import { fileURLToPath } from 'node:url';

/** The folder of the clone. */
export const CLONE = fileURLToPath(new URL('../..', import.meta.url));
