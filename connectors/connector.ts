/**
 * - `connecting`: no connection yet, or lost; it is tried again.
 * - `snapshot`: reads the tables for the first time.
 * - `resyncing`: reads the tables again, because changes were lost; `reason` says why.
 * - `streaming`: receives changes as they are committed.
 * - `failed`: has stopped for good; `reason` says what an operator has to do.
 * - `stopped`: was asked to stop.
 */
export type ConnectorState = 'connecting' | 'snapshot' | 'resyncing' | 'streaming' | 'failed' | 'stopped';

/** What readiness and status show of a source. Holds no secrets. */
export interface ConnectorHealth {
  readonly state: ConnectorState;
  readonly reason?: string;
  /** Position up to which changes are durable in the log. */
  readonly position?: string;
  /** The place that the source keeps for us, as the source reports it. */
  readonly slot?: { readonly name: string; readonly status: string; readonly active: boolean };
  /** Bytes that the source keeps until we have taken them. */
  readonly retainedBytes?: number;
}

/** Brings the changes of one source into the log. */
export interface Connector {
  /** Name of the source in the config. */
  readonly source: string;
  /**
   * Runs until the signal aborts, then resolves; what was appended is durable. Reconnects on its own.
   * @throws SourceMisconfigured, SourceFenced or StorageFailed: it cannot go on without an operator. Never resolves otherwise.
   */
  run(signal: AbortSignal): Promise<void>;
  /** Cheap and synchronous; at most two seconds old. */
  health(): ConnectorHealth;
}
