import type { Logger } from '@aura/platform';

/** Lines on the standard error, which the tests keep in a file per process. */
export const consoleLogger: Logger = {
  debug: () => undefined,
  info: (fields, message) => write('info', fields, message),
  warn: (fields, message) => write('warn', fields, message),
  error: (fields, message) => write('error', fields, message),
};

function write(level: string, fields: Record<string, unknown>, message: string): void {
  const error = fields['err'] ?? fields['error'];
  console.error(new Date().toISOString(), level, message, error instanceof Error ? error.stack : fields);
}
