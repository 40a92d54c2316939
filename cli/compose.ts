import type { ResolvedConfig } from '../runtime/config/config.ts';
import { SourceMisconfigured } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';

/** A part of the work that a process can take: reading sources, preparing documents, indexing them, answering. */
export type Role = 'connectors' | 'prepare' | 'index' | 'query';

export interface FreshetOptions {
  readonly config: ResolvedConfig;
  readonly roles: readonly Role[];
  readonly logger: Logger;
  /** Aborts when the process is asked to stop. */
  readonly signal: AbortSignal;
}

/** The roles of this process at work. Disposing drains them. */
export interface RunningFreshet extends AsyncDisposable {
  /** Where the query API listens. */
  readonly address: string;
  /** Resolves when the index has passed the source positions seen at start. */
  caughtUp(signal: AbortSignal): Promise<void>;
}

/** Puts the roles together and starts them. */
export async function startFreshet(_options: FreshetOptions): Promise<RunningFreshet> {
  throw new SourceMisconfigured('the roles are not put together yet');
}
