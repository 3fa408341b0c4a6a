// Where the services are, and the key for their tokens: from the command line, the environment, or the file
// that a running demo leaves in its folder.
import { existsSync, readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { misuse } from './exit-codes.mjs';

const CLONE = fileURLToPath(new URL('../..', import.meta.url));
const SECRET = 'AURA_SERVICE_TOKEN_SECRET';

/**
 * @typedef {object} Target
 * @property {string | undefined} name undefined: the service is asked who it is
 * @property {string} url
 *
 * @typedef {object} Place what was found
 * @property {Target[]} services
 * @property {string} from where they were found, in words
 * @property {string | undefined} secretFile
 */

/** All services that are known here. @returns {Place} */
export function knownServices(environment) {
  const given = environment.AURA_SERVICES;
  if (given) return { services: readServices(given), from: 'AURA_SERVICES', secretFile: undefined };
  const file = resolve(environment.AURA_HOME ?? resolve(CLONE, '.aura'), 'services.json');
  if (!existsSync(file)) return { services: [], from: file, secretFile: undefined };
  const { services, tokenSecretFile } = JSON.parse(readFileSync(file, 'utf8'));
  return { services, from: file, secretFile: tokenSecretFile };
}

function readServices(text) {
  return text
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '')
    .map((each) => {
      const [, name, url] = /^([^=]+)=(.+)$/.exec(each) ?? [];
      if (!name || !URL.canParse(url))
        throw misuse(`AURA_SERVICES has ${JSON.stringify(each)}: write name=url, with commas between`);
      return { name, url: url.replace(/\/+$/, '') };
    });
}

/**
 * The services that a command is for.
 *
 * @param {{ service?: string, url?: string }} options
 * @param {Place} place
 * @param {{ many: boolean }} wanted `many`: the command may ask all of them, and does where none is named
 * @returns {Target[]}
 */
export function chosen({ service, url }, { services, from }, { many }) {
  if (url !== undefined) {
    if (!/^https?:$/.test(URL.canParse(url) ? new URL(url).protocol : ''))
      throw misuse(`--url ${url} is no address: write http://host:port`);
    return [{ name: service === 'all' ? undefined : service, url: url.replace(/\/+$/, '') }];
  }
  if (services.length === 0)
    throw misuse(
      `No service is known (looked at AURA_SERVICES and ${from}): ` +
        'give --url http://host:port, set AURA_SERVICES=name=url,..., or start `npm run demo`',
    );
  const names = services.map(({ name }) => name).join(', ');
  if (service === 'all' || (service === undefined && (many || services.length === 1))) {
    if (many || services.length === 1) return services;
    throw misuse(`This command is for one service: --service with one of ${names}`);
  }
  if (service === undefined) throw misuse(`Which service? Add --service with one of ${names}`);
  const found = services.filter(({ name }) => name === service);
  if (found.length === 0) throw misuse(`${service} is not known (in ${from}): there are ${names}`);
  return found;
}

/** The key that signs tokens. @param {Place} place */
export function tokenSecret(environment, { secretFile }) {
  const direct = environment[SECRET];
  if (direct) return direct;
  const file = environment[`${SECRET}_FILE`] ?? secretFile;
  if (file && existsSync(file)) return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  throw misuse(
    `There is no key to sign a token with: set ${SECRET} (or ${SECRET}_FILE), ` +
      'the same that the services have',
  );
}

/** Who operates, for the list of operations. */
export function operatorName(environment) {
  const name = environment.AURA_OPERATOR ?? userInfo().username;
  if (/^[\w.@+-]{1,64}$/.test(name)) return name;
  throw misuse(
    `${JSON.stringify(name)} can't be an operator's name: set AURA_OPERATOR (letters, digits, . _ @ + -)`,
  );
}
