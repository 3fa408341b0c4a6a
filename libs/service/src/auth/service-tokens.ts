import { type Clock, InvariantError } from '@aura/platform';
import { errors, jwtVerify, SignJWT } from 'jose';
import type { Secret } from '../config/secret.js';

/** A token lives this long, in seconds: long enough for one call, too short to be worth stealing. */
const LIFETIME_S = 60;
/** Clocks of two machines may differ by this much, in seconds. */
const TOLERANCE_S = 5;
const ALGORITHM = 'HS256';

/** Why a token was refused, for the answer's detail: never more than the class of the fault. */
export class TokenRefused extends Error {}

/** Before an operator's name, as the issuer: no service has a colon in its name. */
const OPERATOR = 'operator:';
const OPERATOR_NAME = /^[\w.@+-]{1,64}$/;

/**
 * Tokens between services: JWT (RFC 7519), HS256, 60 s; issuer = the calling service, audience = the called
 * one. All services share one key: whoever has it can be any of them. It proves "one of us", for networks
 * that are ours.
 * An operator's token differs in its issuer, `operator:<name>`: it opens the admin API and nothing else, and
 * a service's token does not open that.
 */
export class ServiceTokens {
  constructor(
    private readonly service: string,
    private readonly secret: Secret | undefined,
    private readonly clock: Clock,
  ) {}

  /** A token with which this service calls `audience`. Throws `InvariantError` where no key is configured. */
  async serviceTokenFor(audience: string): Promise<string> {
    const now = Math.floor(this.clock.now().getTime() / 1000);
    return new SignJWT()
      .setProtectedHeader({ alg: ALGORITHM })
      .setIssuer(this.service)
      .setAudience(audience)
      .setIssuedAt(now)
      .setExpirationTime(now + LIFETIME_S)
      .sign(this.#key());
  }

  /** The service that made `token` for this one. Throws `TokenRefused` with the reason. */
  async callerOf(token: string): Promise<string> {
    const issuer = await this.#issuerOf(token);
    if (!issuer.startsWith(OPERATOR)) return issuer;
    throw new TokenRefused("The token is an operator's: this is for services.");
  }

  /** The name of the operator who made `token` for this service. Throws `TokenRefused` with the reason. */
  async operatorOf(token: string): Promise<string> {
    const issuer = await this.#issuerOf(token);
    const name = issuer.slice(OPERATOR.length);
    if (issuer.startsWith(OPERATOR) && OPERATOR_NAME.test(name)) return name;
    throw new TokenRefused(
      "The token is not an operator's: its issuer must be operator:<name>, " +
        'a name of at most 64 letters, digits and . _ @ + -',
    );
  }

  /** Whether tokens can be made and checked. */
  get configured(): boolean {
    return this.secret !== undefined;
  }

  async #issuerOf(token: string): Promise<string> {
    const key = this.#key();
    try {
      const { payload } = await jwtVerify(token, key, {
        algorithms: [ALGORITHM],
        audience: this.service,
        requiredClaims: ['iss', 'aud', 'iat', 'exp'],
        maxTokenAge: LIFETIME_S,
        clockTolerance: TOLERANCE_S,
        currentDate: this.clock.now(),
      });
      return String(payload.iss);
    } catch (error) {
      throw new TokenRefused(reasonOf(error, this.service), { cause: error });
    }
  }

  #key(): Uint8Array {
    if (this.secret) return new TextEncoder().encode(this.secret.reveal());
    throw new InvariantError(
      `${this.service} has no key for tokens between services: ` +
        'set AURA_SERVICE_TOKEN_SECRET, the same in every service',
    );
  }
}

function reasonOf(error: unknown, service: string): string {
  if (error instanceof errors.JWTExpired) return 'The token has expired: make one per call.';
  if (error instanceof errors.JWTClaimValidationFailed && error.claim === 'aud')
    return `The token is for another service than ${service}.`;
  if (error instanceof errors.JWTClaimValidationFailed)
    return `The token's claim ${error.claim} is missing or wrong.`;
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'The token is signed with another key.';
  return 'The token is not one of ours.';
}
