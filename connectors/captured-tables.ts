import type { TopicSpec } from '../ports/log/log.ts';
import type { TableConfig } from '../runtime/config/config.ts';
import { CONNECTOR_STATE_TOPIC, tableTopic } from '../schemas/topics.ts';

/** The replication slot of a PostgreSQL source: the config's, or one named after the source. */
export function slotName({ name, slot }: { readonly name: string; readonly slot?: string }): string {
  return slot ?? defaultName(name);
}

/** The publication of a PostgreSQL source: the config's, or one named after the source. */
export function publicationName(config: { readonly name: string; readonly publication?: string }): string {
  return config.publication ?? defaultName(config.name);
}

function defaultName(source: string): string {
  return `freshet_${source.replaceAll('-', '_')}`;
}

/** `schema.table` of the config in its two parts. */
export function tableName(table: Pick<TableConfig, 'table'>): { readonly schema: string; readonly table: string } {
  const dot = table.table.indexOf('.');
  return { schema: table.table.slice(0, dot), table: table.table.slice(dot + 1) };
}

/** The topic that a source's table is captured into. */
export function capturedTopic(source: string, config: Pick<TableConfig, 'table'>): string {
  const { schema, table } = tableName(config);
  return tableTopic(source, schema, table);
}

/** Columns that the mapping of a table reads. */
export function mappedColumns(config: TableConfig): string[] {
  const columns = [
    config.title,
    ...(typeof config.body === 'string' ? [config.body] : config.body),
    config.tenant && 'column' in config.tenant ? config.tenant.column : undefined,
    config.acl?.column,
    ...(config.metadata ?? []),
  ];
  return [...new Set(columns.filter((column) => column !== undefined))];
}

/** The topics that a source of tables writes: one per table, and the one with the state of all connectors. */
export function discoverTopics(
  config: { readonly name: string; readonly tables: readonly Pick<TableConfig, 'table'>[] },
  partitions: number,
  retentionMs?: number,
): TopicSpec[] {
  const tables = config.tables.map((table): TopicSpec => ({
    name: capturedTopic(config.name, table),
    partitions,
    cleanup: 'delete',
    ...(retentionMs !== undefined && { retentionMs }),
  }));
  return [...tables, { name: CONNECTOR_STATE_TOPIC, partitions: 1, cleanup: 'compact' }];
}
