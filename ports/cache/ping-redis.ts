import { Redis } from 'ioredis';
import { StoreUnavailable } from '../../runtime/errors.ts';

/** Asks a Redis once for its version. @throws StoreUnavailable with what it answered, never with the password. */
export async function pingRedis(url: string, signal: AbortSignal): Promise<string> {
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: null, maxRetriesPerRequest: 0 });
  redis.on('error', () => undefined); // the calls below reject with it
  const abort = (): void => redis.disconnect();
  signal.addEventListener('abort', abort, { once: true });
  try {
    await redis.connect();
    const version = /redis_version:(\S+)/.exec(await redis.info('server'))?.[1] ?? 'unknown version';
    return `answers, version ${version}`;
  } catch (cause) {
    const reason =
      cause instanceof Error && /WRONGPASS|NOAUTH|NOPERM/.test(cause.message)
        ? 'refuses the password'
        : 'does not answer';
    throw new StoreUnavailable(`Redis ${reason}.`, { cause });
  } finally {
    signal.removeEventListener('abort', abort);
    redis.disconnect();
  }
}
