/**
 * What libs write to: ids as fields, never payloads. `@aura/service` gives pino behind it; tests give an
 * array.
 */
export interface Logger {
  debug(fields: Record<string, unknown>, message: string): void;
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
  error(fields: Record<string, unknown>, message: string): void;
}

/** Says nothing: the default of a lib used alone. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };
