/* oxlint-disable no-console -- a script: what it prints is what it is for */
// Asks a role whether it answers; exit 0 when it does. The image has no curl, so node asks itself.
const url = process.env.FRESHET_HEALTH_URL ?? 'http://127.0.0.1:8080/livez';
// Below the timeout of HEALTHCHECK, so that the reason still gets printed.
const TIMEOUT_MS = 4_000;

try {
  const { ok, status } = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (!ok) console.error(`${url} answered ${status}`);
  process.exitCode = ok ? 0 : 1;
} catch (error) {
  console.error(`${url}: ${error.cause?.message ?? error.message}`);
  process.exitCode = 1;
}
