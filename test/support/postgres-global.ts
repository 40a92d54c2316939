import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { startEmbeddedPostgres } from '../../cli/demo/embedded-postgres.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** URL of a superuser on a PostgreSQL with `wal_level=logical`. */
    readonly postgresUrl: string;
  }
}

/** Starts one PostgreSQL for the run, or takes the one that POSTGRES_TEST_URL names. */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const running = process.env['POSTGRES_TEST_URL'];
  if (running) {
    project.provide('postgresUrl', running);
    return undefined;
  }
  const folder = await mkdtemp(join(tmpdir(), 'freshet-test-postgres-'));
  await chmod(folder, 0o755); // enterable by the server's user, so that everything stays in this one folder
  const server = await startEmbeddedPostgres({
    dataDir: join(folder, 'data'),
    unsafeFast: true,
    settings: { max_wal_senders: '60', max_replication_slots: '60', max_connections: '200' },
  });
  // The other lanes of the same run set up after this one and share the server.
  process.env['POSTGRES_TEST_URL'] = server.url;
  project.provide('postgresUrl', server.url);
  return async () => {
    delete process.env['POSTGRES_TEST_URL'];
    await server.stop();
    await rm(server.dataDir, { recursive: true, force: true });
    await rm(folder, { recursive: true, force: true });
  };
}
