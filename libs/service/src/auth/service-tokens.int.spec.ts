import { systemClock } from '@aura/platform';
import { Controller, Get, Module, UseGuards } from '@nestjs/common';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, startTestService } from '../../test/service.js';
import { Secret } from '../config/secret.js';
import type { RunningService } from '../start-service.js';
import { Caller, ServiceTokenGuard } from './service-token.guard.js';
import { ServiceTokens } from './service-tokens.js';

const KEY = 'k'.repeat(32);
const key = new TextEncoder().encode(KEY);

@Controller('photos')
class PhotosController {
  @Get()
  @UseGuards(ServiceTokenGuard)
  get(@Caller() caller: string): { caller: string } {
    return { caller };
  }
}

@Module({ controllers: [PhotosController] })
class PhotosModule {}

let gateway: RunningService;
beforeAll(async () => {
  gateway = await startTestService(PhotosModule, { AURA_SERVICE_TOKEN_SECRET: KEY }, undefined, 'gateway');
});
afterAll(() => gateway.stop());

const analysis = new ServiceTokens('image-analysis', new Secret(KEY), systemClock);
const call = (authorization?: string) =>
  ask(`${gateway.url}/photos`, authorization === undefined ? {} : { headers: { authorization } });

describe('service tokens', () => {
  it('tell the called service who calls', async () => {
    const answer = await call(`Bearer ${await analysis.serviceTokenFor('gateway')}`);
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({ caller: 'image-analysis' });
  });

  it.each([
    ['nothing', () => undefined, 'This is for services'],
    ['another scheme', () => 'Basic dTpw', 'This is for services'],
    ['garbage', () => 'Bearer garbage', 'The token is not one of ours.'],
    ['an old token', () => bearer(aged(70).serviceTokenFor('gateway')), 'The token has expired'],
    ['a token from the future', () => bearer(aged(-30).serviceTokenFor('gateway')), "The token's claim iat"],
    [
      'a token for another',
      () => bearer(analysis.serviceTokenFor('checkout')),
      'The token is for another service than gateway.',
    ],
    [
      'a token of another key',
      () =>
        bearer(new ServiceTokens('x', new Secret('o'.repeat(32)), systemClock).serviceTokenFor('gateway')),
      'The token is signed with another key.',
    ],
    ['a token that lives for a day', () => bearer(dayLong()), 'The token has expired'],
    ['a token without an issuer', () => bearer(anonymous()), "The token's claim iss"],
    ['a token without a signature', () => `Bearer ${unsigned()}`, 'The token is not one of ours.'],
  ])('%s is a clear 401', async (_, authorization, detail) => {
    const answer = await call(await authorization());
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    expect(answer.json.type).toBe('urn:aura:problem:unauthenticated');
    expect(answer.json.detail).toContain(detail);
  });

  it('need a key, and say which variable holds it', async () => {
    await expect(new ServiceTokens('x', undefined, systemClock).serviceTokenFor('y')).rejects.toThrow(
      'set AURA_SERVICE_TOKEN_SECRET',
    );
  });
});

/** A caller whose clock is `seconds` behind. */
function aged(seconds: number): ServiceTokens {
  return new ServiceTokens('image-analysis', new Secret(KEY), {
    now: () => new Date(Date.now() - seconds * 1000),
  });
}

const bearer = async (token: Promise<string>): Promise<string> => `Bearer ${await token}`;

/** Issued two minutes ago, valid for a day: what a leaked long-lived token would look like. */
function dayLong(): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT()
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuer('image-analysis')
    .setAudience('gateway')
    .setIssuedAt(now - 120)
    .setExpirationTime(now + 86_400)
    .sign(key);
}

function anonymous(): Promise<string> {
  const token = new SignJWT().setProtectedHeader({ alg: 'HS256' }).setAudience('gateway').setIssuedAt();
  return token.setExpirationTime('30s').sign(key);
}

function part(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function unsigned(): string {
  const now = Math.floor(Date.now() / 1000);
  return `${part({ alg: 'none' })}.${part({ iss: 'x', aud: 'gateway', iat: now, exp: now + 30 })}.`;
}
