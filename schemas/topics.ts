/** Names of the topics that are ours. Source topics are named as Debezium names them: `<source>.<schema>.<table>`. */
export const DOCUMENTS_TOPIC = 'freshet.documents';
export const VECTORS_TOPIC = 'freshet.vectors';
export const DEAD_LETTERS_TOPIC = 'freshet.dead-letters';
export const CONNECTOR_STATE_TOPIC = 'freshet.connector-state';

export function hookTopic(source: string): string {
  return `freshet.hooks.${source}`;
}

export function tableTopic(source: string, schema: string, table: string): string {
  return `${source}.${schema}.${table}`;
}

/** Header with the decimal SourceVersion that a record carries, so that records compare without reading their values. */
export const VERSION_HEADER = 'freshet.version';
