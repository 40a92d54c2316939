import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../../runtime/clock.ts';
import { FreshetError } from '../../../runtime/errors.ts';
import type { Fusion, StoreQuery } from '../document-store.ts';
import { openIndexFile, type IndexFile } from './open-index-file.ts';
import { SearchSession } from './search-session.ts';
import type { SearchRequest, SearchResponse } from './search-thread.ts';

/** How often the thread reads what others have written, so that the next search has less to do, and how long after the last one, ms. */
const FOLLOW_EVERY_MS = 100;
const FOLLOWS_FOR_MS = 5_000;

const file = workerData as IndexFile;
const db = openIndexFile(file);
const session = new SearchSession(db, file.dimensions);
const closing = new AbortController();
let seen: bigint | undefined;
let searchedMs = systemClock.monotonicMs();

parentPort?.on('message', ({ id, query, fusion }: SearchRequest) => {
  if (query) parentPort?.postMessage(responseTo(id, query, fusion));
  else close();
});
void followForEver();

async function followForEver(): Promise<void> {
  while (!closing.signal.aborted) {
    if (systemClock.monotonicMs() - searchedMs < FOLLOWS_FOR_MS) follow();
    await systemClock.sleep(FOLLOW_EVERY_MS, closing.signal).catch(() => undefined);
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

function responseTo(id: number, query: StoreQuery, fusion: Fusion | undefined): SearchResponse {
  searchedMs = systemClock.monotonicMs();
  try {
    return { id, reply: fusion ? session.best(query, fusion) : session.search(query) };
  } catch (error) {
    const code = error instanceof FreshetError ? error.code : undefined;
    return { id, error: { code, message: (error as Error).message } };
  }
}

/** Leaves nothing to wait for, so that the thread ends. */
function close(): void {
  closing.abort();
  db.close();
  parentPort?.close();
}
