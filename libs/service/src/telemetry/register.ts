/**
 * Loaded with `node --import @aura/service/register main.js`, before any module of the application, so that
 * the instrumentations can patch what the application imports. Needs Node >= 24.11.1 for the hooks that run
 * on the main thread; on an older one only what CommonJS loads (pg) is traced.
 */
import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { pathToFileURL } from 'node:url';
import { register, supportsSyncHooks } from 'import-in-the-middle/register-hooks.mjs';

if (supportsSyncHooks()) register({ include: ['pg', 'pg-pool', 'http', 'https'] });

// After the hooks: what these import is patched like everything else.
const { startTelemetry } = await import('./sdk.js');
const { COMMON_SETTINGS } = await import('../config/common.js');
const environment = process.env;
startTelemetry({
  serviceName: environment['OTEL_SERVICE_NAME'] ?? nameOfMain(process.argv[1]) ?? 'aura',
  otlpEndpoint: environment['AURA_OTLP_ENDPOINT'] ?? environment['OTEL_EXPORTER_OTLP_ENDPOINT'],
  // A wrong one counts as unset: the service's configuration refuses it a moment later, in words.
  traceSampleRatio: COMMON_SETTINGS.traceSampleRatio.safeParse(environment['AURA_TRACE_SAMPLE_RATIO']).data,
});

/** `gateway` for `.../apps/gateway/dist/main.js`, whose package is `@aura/gateway`. */
function nameOfMain(script: string | undefined): string | undefined {
  if (script === undefined) return undefined;
  const file = findPackageJSON(pathToFileURL(script));
  if (file === undefined) return undefined;
  const { name } = JSON.parse(readFileSync(file, 'utf8')) as { name?: string };
  return name?.replace(/^@[^/]*\//, '');
}
