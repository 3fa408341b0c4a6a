import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where what was fetched or built once is kept, shared by every clone of this user. */
export function cacheFolder() {
  const given = process.env['AURA_CACHE_DIR'] ?? process.env['XDG_CACHE_HOME'];
  if (given) return join(given, 'aura');
  if (process.platform === 'win32') return join(process.env['LOCALAPPDATA'] ?? homedir(), 'aura', 'cache');
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'aura');
  return join(homedir(), '.cache', 'aura');
}
