import { Redis } from 'ioredis';
import { eventLoopTurn, type Clock, type Random } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import { retryDelayMs } from '../../runtime/retry.ts';
import type { Cache, CacheEntry } from './cache.ts';
import { Circuit } from './circuit.ts';

/** Where the cache lies, and how little of a caller's time it may cost. */
export interface RedisCacheOptions {
  /** `redis://` or `rediss://`, with user, password and database where there are any. */
  readonly url: string;
  /** Begins every key: deployments that share a Redis stay apart. */
  readonly prefix: string;
  /** Longest wait for one round trip, ms; what takes longer is a miss. */
  readonly timeoutMs: number;
  /** Larger values are not stored. Default 1 MiB. */
  readonly maxEntryBytes?: number;
  /** Age at which an entry without a time to live of its own goes, ms. Default 7 days. */
  readonly maxAgeMs?: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

const DEFAULT_MAX_ENTRY_BYTES = 1_048_576;
const DEFAULT_MAX_AGE_MS = 604_800_000;
/** Keys of one MGET or UNLINK: Redis serves nobody else meanwhile. 512 vectors of 1.5 kB are answered in about a millisecond. */
const ROUND_TRIP_KEYS = 512;
/** Bytes of values that one round trip carries. */
const ROUND_TRIP_BYTES = 1_048_576;
/** A connection that owes an answer this long is given up, so that one that is half-open is made anew. */
const SOCKET_TIMEOUT_MS = 2_000;
const MIN_PAUSE_MS = 100;
const MAX_PAUSE_MS = 5_000;
/** A socket that was ended is destroyed after this; the client would keep the process alive for 2 s. */
const DISCONNECT_TIMEOUT_MS = 50;
const MIN_RECONNECT_MS = 50;
const MAX_RECONNECT_MS = 2_000;
/** Deletions that wait for Redis to come back. When there are more, everything under the prefix goes instead. */
const MAX_OWED_DELETIONS = 10_000;
/** A key stays in the sets of its tags this much longer than its entry lives: clocks of processes and of Redis differ. */
const TAG_GRACE_MS = 60_000;
/** A Redis that refuses writes (out of memory, a replica) is told about this often, ms. */
const REFUSAL_LOG_EVERY_MS = 60_000;

/**
 * A cache that all processes of a deployment share, in Redis. While Redis is down, slow or loading every look-up is a miss that costs
 * no round trip; the connection is probed in the background and used again when it answers. The byte bound is Redis' own
 * (`maxmemory`); every entry has a time to live besides, so that a Redis without a bound does not grow for ever.
 *
 * Resolves when Redis has answered, or after the first attempt to reach it. Never rejects.
 */
export async function openRedisCache(options: RedisCacheOptions): Promise<Cache> {
  const cache = new RedisCache(options);
  await cache.firstAttempt;
  return cache;
}

class RedisCache implements Cache {
  readonly #options: RedisCacheOptions;
  readonly #client: Redis;
  readonly #circuit: Circuit;
  readonly #owedDeletions = new Set<string>();
  readonly #owedTags = new Set<string>();
  /** Resolves when the first connection was made and probed, or has failed. */
  readonly firstAttempt: Promise<void>;
  #owesAll = false;
  #refusalLoggedAtMs = -Infinity;
  #outageLogged = false;

  constructor(options: RedisCacheOptions) {
    const { url, clock, random } = options;
    this.#options = options;
    this.#circuit = new Circuit({ minPauseMs: MIN_PAUSE_MS, maxPauseMs: MAX_PAUSE_MS, clock, random });
    this.#client = new Redis(url, {
      // A command is answered now or not at all: nothing waits for a Redis that may come back.
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      connectTimeout: SOCKET_TIMEOUT_MS,
      socketTimeout: SOCKET_TIMEOUT_MS,
      disconnectTimeout: DISCONNECT_TIMEOUT_MS,
      retryStrategy: (times) =>
        retryDelayMs(times, { minDelayMs: MIN_RECONNECT_MS, maxDelayMs: MAX_RECONNECT_MS, random }),
      // After a failover the old primary still answers, as a replica.
      reconnectOnError: (error) => error.message.startsWith('READONLY'),
    });
    this.firstAttempt = new Promise((resolve) => {
      this.#client.on('ready', () => {
        this.#circuit.endPause();
        void this.#probe().then(resolve);
      });
      this.#client.on('error', (error) => this.#fail(error));
      this.#client.on('close', () => {
        this.#fail(new Error('the connection was closed'));
        resolve();
      });
    });
  }

  async get(keys: readonly string[], signal?: AbortSignal): Promise<readonly (Uint8Array | undefined)[]> {
    const values: (Uint8Array | undefined)[] = [];
    for (const some of inParts(keys, () => 0)) {
      const replies = await this.#ask(() => this.#client.mgetBuffer(some.map((key) => this.#redisKey(key))), signal);
      // A copy: replies are windows into the socket's buffer, and readers of vectors need memory of their own, aligned. A key that
      // holds something else than a string (a list, a hash) is null here, and the next `set` replaces it.
      for (const n of some.keys()) {
        const reply = replies?.[n];
        values.push(reply ? new Uint8Array(reply) : undefined);
      }
    }
    return values;
  }

  async set(entries: readonly CacheEntry[], signal?: AbortSignal): Promise<void> {
    const { maxEntryBytes = DEFAULT_MAX_ENTRY_BYTES, maxAgeMs = DEFAULT_MAX_AGE_MS } = this.#options;
    for (const some of inParts(entries, ({ value }) => Math.min(value.byteLength, maxEntryBytes))) {
      const replies = await this.#ask(async () => {
        const pipeline = this.#client.pipeline();
        for (const { key, value, ttlMs = maxAgeMs, tags = [] } of some) {
          const ageMs = Math.ceil(Math.min(ttlMs, maxAgeMs));
          // What cannot be stored must not leave an older value behind.
          if (value.byteLength > maxEntryBytes || ageMs < 1) {
            pipeline.unlink(this.#redisKey(key));
            continue;
          }
          // Tags first: an entry is never there without them, and a tag without its entry costs a few bytes for a time.
          const now = this.#options.clock.now();
          for (const tag of tags)
            pipeline
              .zremrangebyscore(this.#tagKey(tag), '-inf', String(now))
              .zadd(this.#tagKey(tag), now + ageMs + TAG_GRACE_MS, this.#redisKey(key))
              .pexpire(this.#tagKey(tag), maxAgeMs + TAG_GRACE_MS);
          pipeline.set(this.#redisKey(key), Buffer.from(value), 'PX', ageMs);
        }
        return pipeline.exec();
      }, signal);
      const refusal = replies?.find(([error]) => error)?.[0];
      if (refusal) this.#logRefusal(refusal);
    }
  }

  /** While Redis cannot be reached, deletions are owed: nothing is served from it before they are made up for. */
  async delete(keys: readonly string[], signal?: AbortSignal): Promise<void> {
    for (const some of inParts(keys, () => 0)) {
      const gone = await this.#ask(() => this.#client.unlink(some.map((key) => this.#redisKey(key))), signal);
      if (gone === undefined) this.#owe(some, this.#owedDeletions);
    }
  }

  async deleteTagged(tags: readonly string[], signal?: AbortSignal): Promise<void> {
    for (const some of inParts(tags, () => 0)) {
      const gone = await this.#ask(() => this.#unlinkTagged(some), signal);
      if (gone === undefined) this.#owe(some, this.#owedTags);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.removeAllListeners('close');
    this.#circuit.open();
    this.#client.disconnect();
  }

  /** JSON escapes lone surrogates, which UTF-8 would make alike. */
  #redisKey(key: string): string {
    return this.#options.prefix + JSON.stringify(key).slice(1, -1);
  }

  /** The sorted set of a tag: keys, by when they may be forgotten. No key of an entry has a raw NUL in it, see `#redisKey`. */
  #tagKey(tag: string): string {
    return `${this.#options.prefix}\0${JSON.stringify(tag).slice(1, -1)}`;
  }

  /** Removes what has a tag, then its keys from the sets: an entry that comes in between keeps its place there. */
  async #unlinkTagged(tags: readonly string[]): Promise<true> {
    const found = this.#client.pipeline();
    for (const tag of tags) found.zrange(this.#tagKey(tag), '0', '-1');
    const removal = this.#client.pipeline();
    for (const [n, [error, keys]] of ((await found.exec()) ?? []).entries()) {
      if (error) {
        removal.unlink(this.#tagKey(tags[n] ?? '')); // somebody else's, of another type; any other fault meets this command, too
        continue;
      }
      const members = keys as string[];
      for (const some of inParts(members, () => 0)) removal.unlink(...some).zrem(this.#tagKey(tags[n] ?? ''), ...some);
    }
    if (removal.length === 0) return true;
    for (const [error] of (await removal.exec()) ?? []) if (error) throw error;
    return true;
  }

  /** The circuit is open, or the caller has stopped waiting; either way no look-up may come before these. */
  #owe(what: readonly string[], owed: Set<string>): void {
    for (const each of what) owed.add(each);
    if (this.#owedDeletions.size + this.#owedTags.size > MAX_OWED_DELETIONS) {
      this.#owesAll = true;
      this.#owedDeletions.clear();
      this.#owedTags.clear();
    }
    this.#circuit.open();
  }

  /** The answer, or undefined where there is none in time. Never rejects. */
  async #ask<T>(send: () => Promise<T>, signal: AbortSignal | undefined): Promise<T | undefined> {
    if (signal?.aborted) return undefined;
    if (!this.#circuit.closed) {
      // Nobody waits for the probe: while Redis is away, callers have their miss at once.
      if (this.#client.status === 'ready') void this.#probe();
      return undefined;
    }
    try {
      return await this.#inTime(send(), signal);
    } catch (error) {
      if (!signal?.aborted) this.#fail(error);
      return undefined;
    }
  }

  /** @throws when there is no answer within the timeout, or the signal aborts. */
  async #inTime<T>(answer: Promise<T>, signal?: AbortSignal): Promise<T> {
    const { clock, timeoutMs } = this.#options;
    const timer = new AbortController();
    const stop = signal ? AbortSignal.any([timer.signal, signal]) : timer.signal;
    const late = clock.sleep(timeoutMs, stop).then(async () => {
      // After a long pause of this process the timer comes before the answer that has been lying in the socket: read that first.
      await eventLoopTurn();
      throw new Error(`no answer within ${timeoutMs} ms`);
    });
    try {
      return await Promise.race([answer, late]);
    } finally {
      timer.abort();
    }
  }

  /** Makes up for what is owed and closes the circuit, if Redis answers. Never rejects. */
  async #probe(): Promise<void> {
    if (!this.#circuit.startProbe()) return;
    try {
      do {
        await this.#payDeletions();
        await this.#inTime(this.#client.ping());
      } while (this.#owesAll || this.#owedDeletions.size + this.#owedTags.size > 0);
      this.#circuit.probed(true);
      if (this.#outageLogged) this.#options.logger.info('The Redis cache answers again.');
      this.#outageLogged = false;
    } catch (error) {
      this.#circuit.probed(false);
      this.#logOutage(error);
    }
  }

  async #payDeletions(): Promise<void> {
    if (this.#owesAll) {
      await this.#empty();
      this.#owesAll = false;
    }
    for (const some of inParts([...this.#owedDeletions], () => 0)) {
      await this.#inTime(this.#client.unlink(some.map((key) => this.#redisKey(key))));
      for (const key of some) this.#owedDeletions.delete(key);
    }
    for (const some of inParts([...this.#owedTags], () => 0)) {
      await this.#inTime(this.#unlinkTagged(some));
      for (const tag of some) this.#owedTags.delete(tag);
    }
  }

  async #empty(): Promise<void> {
    const pattern = `${this.#options.prefix.replace(/[\\*?[\]]/g, '\\$&')}*`;
    let cursor = '0';
    do {
      const [next, keys] = await this.#inTime(
        this.#client.scanBuffer(cursor, 'MATCH', pattern, 'COUNT', ROUND_TRIP_KEYS),
      );
      if (keys.length > 0) await this.#inTime(this.#client.unlink(keys));
      cursor = next.toString();
    } while (cursor !== '0');
  }

  #fail(error: unknown): void {
    this.#circuit.open();
    this.#logOutage(error);
  }

  /** Once per outage. */
  #logOutage(error: unknown): void {
    if (this.#outageLogged || this.#client.status === 'end') return;
    this.#outageLogged = true;
    this.#options.logger.warn('The Redis cache does not answer; every look-up is a miss until it does.', {
      reason: reasonOf(error),
    });
  }

  #logRefusal(error: Error): void {
    const now = this.#options.clock.monotonicMs();
    if (now - this.#refusalLoggedAtMs < REFUSAL_LOG_EVERY_MS) return;
    this.#refusalLoggedAtMs = now;
    this.#options.logger.warn('Redis refuses to store cache entries; what would be stored is computed again.', {
      reason: reasonOf(error),
    });
  }
}

/** Parts that are small enough for one round trip each. */
function* inParts<T>(items: readonly T[], bytesOf: (item: T) => number): Generator<readonly T[]> {
  let part: T[] = [];
  let bytes = 0;
  for (const item of items) {
    if (part.length === ROUND_TRIP_KEYS || (part.length > 0 && bytes + bytesOf(item) > ROUND_TRIP_BYTES)) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(item);
    bytes += bytesOf(item);
  }
  if (part.length > 0) yield part;
}

/** A system's error code, the first word of a refusal (`OOM`, `WRONGPASS`), or our own words; never keys or values. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  if (error.name === 'ReplyError') return error.message.split(' ', 1)[0] ?? '';
  return (error as NodeJS.ErrnoException).code ?? error.message;
}
