import type { AppendRecord } from '../../ports/log/log.ts';
import type { TableLayout } from '../../schemas/table-layout.ts';
import type { ConnectorHealth } from '../connector.ts';
import type { ConnectorOffset } from './connect-client.ts';
import type { ResyncReason } from '../resync-required.ts';
import type { DebeziumSourceState, KnownTable } from './source-state.ts';

/** What of the state the database decides. */
export type DatabaseFacts = Pick<DebeziumSourceState, 'systemId' | 'timeline' | 'slot' | 'publicationOid'> & {
  readonly tables: readonly KnownTable[];
};

/** What rows that are read say of themselves. */
export interface RowsRead {
  readonly epoch: number;
  readonly position: string;
  readonly committedAt: number;
  /** Partitions of every source topic. */
  readonly partitions: number;
}

/** The rows of all tables at the place where a new stream begins. Disposing gives up what has not been read. */
export interface SnapshotRows extends AsyncDisposable {
  /** Reads them once, in batches. @throws SourceUnavailable when the database has lost the snapshot */
  read(as: RowsRead, signal: AbortSignal): AsyncIterable<readonly AppendRecord[]>;
}

/** Where a stream begins. */
export interface Beginning {
  readonly facts: DatabaseFacts;
  readonly position: string;
  /** What was committed before this time is in the snapshot, ms since the epoch. */
  readonly committedAt: number;
  /** The offset that the stream starts from, and the rows as they are there; absent: both are left to Debezium. */
  readonly start?: { readonly offset: ConnectorOffset; readonly rows: SnapshotRows };
}

/** What the source itself says, apart from Kafka Connect: whether everything is there that a stream needs, and whether nothing is lost. */
export interface SourceDatabase extends AsyncDisposable {
  /**
   * Whether its changes may leave columns out that did not change. Then rows and changes must fit together exactly: `begin` gives the
   * offset that the stream starts from and the rows as they are there, and the stream waits until those are read.
   */
  readonly leavesColumnsOut: boolean;

  /**
   * Looks, and touches nothing.
   * @returns why the stream cannot go on, if so, and what the columns of the tables are, where the catalog can be read
   * @throws SourceMisconfigured, SourceUnavailable
   */
  inspect(
    state: DebeziumSourceState | undefined,
    signal: AbortSignal,
  ): Promise<{ readonly resync: ResyncReason | undefined; readonly tables: readonly TableLayout[] | undefined }>;

  /** Makes the place that a new stream begins at; what an older one had is gone. The stream's task must have ended. */
  begin(signal: AbortSignal): Promise<Beginning>;

  /**
   * Looks while rows are read and while the stream runs. Cheap; called several times a second.
   * @param offset what Kafka Connect has committed, read *after* the last call
   * @throws ResyncRequired when changes are lost, SourceUnavailable
   */
  look(
    state: DebeziumSourceState,
    offset: ConnectorOffset | undefined,
    signal: AbortSignal,
  ): Promise<Pick<ConnectorHealth, 'slot' | 'retainedBytes'>>;

  /** How long nobody has read the stream, as the database sees it at the last look, ms; 0 where it does not tell. */
  readonly unreadMs: number;

  /** Takes the stream from whoever has it and may be gone, for another reader. @throws SourceUnavailable */
  freeStream(signal: AbortSignal): Promise<void>;
}
