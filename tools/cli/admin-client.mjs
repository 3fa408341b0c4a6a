import { SignJWT } from 'jose';
import { CliError } from './exit-codes.mjs';

/** As ServiceTokens of @aura/service: whoever checks takes no older ones. */
const TOKEN_LIFETIME_S = 60;
const MAX_PARTS = 10;

/** The admin API of one service. Every call ends within `timeoutMs`, with an answer or a `CliError`. */
export class AdminClient {
  #name;

  /**
   * @param {import('./services.mjs').Target} target
   * @param {{ secret: string, operator: string, timeoutMs: number }} options
   */
  constructor({ name, url }, options) {
    this.#name = name;
    this.url = url;
    this.options = options;
  }

  /** For people, before the service has been asked who it is. */
  get words() {
    return this.#name === undefined ? this.url : `${this.#name} (${this.url})`;
  }

  /** The service's own name: tokens are made for it. */
  async name() {
    if (this.#name !== undefined) return this.#name;
    const { service } = await this.#fetch('', {});
    if (typeof service !== 'string') throw new CliError(`${this.url} is no service with an admin API`);
    return (this.#name = service);
  }

  /** @param {string} path @param {Record<string, unknown>} [query] what is undefined is left out */
  async get(path, query = {}) {
    const given = Object.entries(query).filter(([, value]) => value !== undefined);
    const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
    const suffix = search.size > 0 ? `?${search}` : '';
    return this.#fetch(`/${path}${suffix}`, { headers: await this.#authorization() });
  }

  async post(path, body) {
    const headers = { ...(await this.#authorization()), 'content-type': 'application/json' };
    return this.#fetch(`/${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  }

  async #authorization() {
    const { secret, operator } = this.options;
    const token = await new SignJWT()
      .setProtectedHeader({ alg: 'HS256' })
      .setIssuer(`operator:${operator}`)
      .setAudience(await this.name())
      .setIssuedAt()
      .setExpirationTime(`${TOKEN_LIFETIME_S} s`)
      .sign(new TextEncoder().encode(secret));
    return { authorization: `Bearer ${token}` };
  }

  async #fetch(path, init) {
    const { timeoutMs } = this.options;
    let response;
    let text;
    try {
      response = await fetch(`${this.url}/admin/v1${path}`, {
        ...init,
        // A token is for this address, not for one that it names.
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutMs),
      });
      text = await response.text();
    } catch (error) {
      if (error.name === 'TimeoutError')
        throw new CliError(
          `${this.words} did not answer within ${timeoutMs} ms: it may still do what was asked`,
        );
      throw new CliError(`${this.words} can't be reached (${causeOf(error)}): is it running?`);
    }
    const answer = parsed(text);
    if (response.ok && answer !== undefined) return answer;
    throw new CliError(`${this.words} answered ${response.status}: ${problemWords(answer)}`);
  }
}

/** An empty answer is fine; one that is no JSON is not. */
function parsed(text) {
  if (text === '') return {};
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function problemWords(problem) {
  const { detail, title, errors = [], instance } = problem ?? {};
  const parts = errors.slice(0, MAX_PARTS).map(({ path, message }) => `${path}: ${message}`);
  const id = instance ? ` (request ${instance})` : '';
  return `${detail ?? title ?? 'that is no admin API'}${parts.length > 0 ? ` ${parts.join('; ')}` : ''}${id}`;
}

function causeOf(error) {
  return error.cause?.code ?? error.cause?.message ?? error.message;
}
