import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../../runtime/clock.ts';
import { FreshetError } from '../../../runtime/errors.ts';
import { openIndexFile, type IndexFile } from './open-index-file.ts';
import { SearchSession } from './search-session.ts';
import type { SearchRequest, SearchResponse } from './search-thread.ts';

/** How often the thread reads what others have written, so that the next search has less to do, ms. */
const FOLLOW_EVERY_MS = 100;

const file = workerData as IndexFile;
const db = openIndexFile(file);
const session = new SearchSession(db, file.dimensions);
let seen: bigint | undefined;

parentPort?.on('message', ({ id, query }: SearchRequest) => parentPort?.postMessage(responseTo(id, query)));
void followForEver();

async function followForEver(): Promise<never> {
  for (;;) {
    follow();
    await systemClock.sleep(FOLLOW_EVERY_MS);
  }
}

function follow(): void {
  try {
    const version = db.dataVersion();
    if (version === seen) return;
    session.follow();
    seen = version;
  } catch {
    // the next search meets the same failure, and tells
  }
}

function responseTo(id: number, query: SearchRequest['query']): SearchResponse {
  try {
    return { id, reply: session.search(query) };
  } catch (error) {
    const code = error instanceof FreshetError ? error.code : undefined;
    return { id, error: { code, message: (error as Error).message } };
  }
}
