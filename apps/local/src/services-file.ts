import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';

/**
 * Where the demo's services are, for `npm run aura`: `services.json` in the demo's folder, readable by its
 * owner only, there while the demo runs. It names the file of the token key; the key is not in it.
 */
export class ServicesFile {
  readonly #path: string;

  constructor(
    private readonly dir: string,
    private readonly tokenSecretFile: string,
  ) {
    this.#path = resolve(dir, 'services.json');
  }

  write(urls: Readonly<Record<string, string>>): void {
    const services = Object.entries(urls).map(([name, url]) => ({ name, url }));
    const { tokenSecretFile } = this;
    mkdirSync(this.dir, { recursive: true });
    // A file that is there keeps its mode.
    rmSync(this.#path, { force: true });
    writeFileSync(this.#path, `${JSON.stringify({ services, tokenSecretFile }, null, 2)}\n`, { mode: 0o600 });
  }

  remove(): void {
    rmSync(this.#path, { force: true });
  }
}
