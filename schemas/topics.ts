/** Names of the topics that are ours. Source topics are named as Debezium names them: `<source>.<schema>.<table>`. */
export const DOCUMENTS_TOPIC = 'freshet.documents';
/** Passages that were indexed by their words first and wait for their vectors. */
export const VECTORS_TOPIC = 'freshet.vectors';
/** Dead letters and their states, compacted by id. */
export const DEAD_LETTERS_TOPIC = 'freshet.dead-letters';
/** What connectors remember between starts, compacted by source. */
export const CONNECTOR_STATE_TOPIC = 'freshet.connector-state';

/** Topic of the events of one webhook source. */
export function hookTopic(source: string): string {
  return `freshet.hooks.${source}`;
}

/** Topic of the changes of one table. */
export function tableTopic(source: string, schema: string, table: string): string {
  return `${source}.${schema}.${table}`;
}

/** Header with the decimal SourceVersion that a record carries, so that records compare without reading their values. */
export const VERSION_HEADER = 'freshet.version';

/** Header of a row that was read for a snapshot, where its version is not in a header. Stamped by Kafka Connect. */
export const BACKFILL_HEADER = 'freshet.backfill';

/** Header with the epoch of the source at the time that Kafka Connect wrote a change; absent: 0. Stamped by its InsertHeader transform. */
export const EPOCH_HEADER = 'freshet.epoch';
