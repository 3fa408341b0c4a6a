import { createHmac } from 'node:crypto';
import { Client } from 'pg';

/**
 * Makes sure that a service has its database and a role that owns it and can enter no other: nobody but the
 * owner and the superuser may connect. Safe to call at each start, and from several processes at once.
 *
 * @param {string} adminUrl of a superuser
 * @param {{ name: string, role?: string, password?: string }} database `role` defaults to the database's
 *   name; the password to one derived from the superuser's, so that nothing has to be kept
 * @returns {Promise<string>} the url with which the service connects
 */
export async function ensureDatabase(adminUrl, { name, role = name, password }) {
  const admin = new URL(adminUrl);
  const secret =
    password ?? createHmac('sha256', decodeURIComponent(admin.password)).update(role).digest('base64url');
  const client = new Client({ connectionString: adminUrl });
  await client.connect();
  try {
    // One at a time: two CREATEs, or two changes of one role, would fail each other.
    await client.query(`select pg_advisory_lock(hashtext('aura: ensure database'))`);
    await ensureRole(client, role, secret);
    await ensureOwned(client, name, role);
  } finally {
    await client.end();
  }
  return Object.assign(new URL(adminUrl), { username: role, password: secret, pathname: `/${name}` }).href;
}

async function ensureRole(client, role, password) {
  const id = client.escapeIdentifier(role);
  const { rowCount } = await client.query('select 1 from pg_roles where rolname = $1', [role]);
  const rights = 'login nosuperuser nocreatedb nocreaterole noreplication nobypassrls';
  const verb = rowCount ? 'alter' : 'create';
  await client.query(`${verb} role ${id} ${rights} password ${client.escapeLiteral(password)}`);
}

async function ensureOwned(client, name, role) {
  const [database, owner] = [client.escapeIdentifier(name), client.escapeIdentifier(role)];
  const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [name]);
  if (!rowCount) await client.query(`create database ${database} owner ${owner}`);
  for (const closed of [database, 'postgres', 'template1'])
    await client.query(`revoke all on database ${closed} from public`);
}
