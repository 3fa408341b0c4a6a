import { testDatabase, type TestDatabase } from '@aura/testing';
import { SignJWT } from 'jose';

export const SECRET = 'a-secret-of-thirty-two-characters-or-more';

export interface ShopDatabases {
  readonly environment: Readonly<Record<string, string>>;
  readonly database: TestDatabase;
  drop(): Promise<void>;
}

/** Databases for one shop, with its tables, and the settings with which it starts. */
export async function shopDatabases(): Promise<ShopDatabases> {
  const database = await testDatabase('shop');
  const log = await testDatabase('log');
  const client = await database.client();
  await client.query('create table broken (key text primary key)');
  await client.query('create table placed (id int generated always as identity, key text, n int)');
  return {
    environment: {
      AURA_DATABASE_URL: database.url,
      AURA_LOG_URL: log.url,
      AURA_CREATE_TOPICS: 'true',
      AURA_LOG_PARTITIONS: '4',
      AURA_SERVICE_TOKEN_SECRET: SECRET,
      AURA_DOCS: 'true',
    },
    database,
    async drop() {
      await Promise.all([database.drop(), log.drop()]);
    },
  };
}

/** What an operator's command line sends. */
export function operatorToken({
  issuer = 'operator:anna',
  audience = 'shop',
  secret = SECRET,
} = {}): Promise<string> {
  return new SignJWT()
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuer(issuer)
    .setAudience(audience)
    .setIssuedAt()
    .setExpirationTime('60 s')
    .sign(new TextEncoder().encode(secret));
}
