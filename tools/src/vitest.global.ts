/** Checks that the servers of the tests are there. */
export default function setup(): void {
  if (!process.env['AURA_TEST_PG_URL']) throw new Error('AURA_TEST_PG_URL is not set');
}
