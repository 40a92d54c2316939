/** Why a source has to be read again: bounded, it is a label of a metric. */
export type ResyncReason =
  | 'slot-missing'
  | 'slot-lost'
  | 'slot-moved'
  | 'slot-renamed'
  | 'system-changed'
  | 'timeline-changed'
  | 'position-went-back'
  | 'publication-changed'
  | 'table-recreated'
  | 'tables-added'
  | 'columns-added'
  | 'key-changed'
  /** Rows and their changes would stand in different partitions, and a change could be read before the version that it leaves out. */
  | 'partitions-added'
  /** The database no longer has the place in its log from which the stream would go on. */
  | 'log-lost'
  /** Kafka Connect does not know how far the stream is. */
  | 'offset-lost'
  /** The rows were being read when the process, or the database, went away; what the stream needs them to fit is gone with it. */
  | 'snapshot-interrupted'
  /** Retention deleted changes in the log before they were read. */
  | 'records-lost';

/** Changes are lost, or cannot be told apart: the tables must be read again. Never leaves the connector. */
export class ResyncRequired extends Error {
  readonly reason: ResyncReason;

  constructor(reason: ResyncReason) {
    super(`The source must be read again: ${reason}.`);
    this.reason = reason;
  }
}
