import { ContentUnavailable, MappingFailed } from '../../runtime/errors.ts';
import type { TableConfig } from '../../runtime/config/config.ts';
import type { BodyPart, Document, MetadataValue } from '../../schemas/document.ts';
import { UNAVAILABLE, type ColumnValue, type Row } from '../../schemas/envelope.ts';
import { columnMetadata, columnText } from './column-text.ts';

/** What the config takes of a row. */
export type Projection = Pick<Document, 'title' | 'parts' | 'tenant' | 'acl' | 'metadata' | 'bodyFormat'>;

export const DEFAULT_TENANT = 'default';

/** Names of the columns that the config takes, without the key. */
export function projectedColumns(table: TableConfig): readonly string[] {
  const columns = [
    ...(table.title === undefined ? [] : [table.title]),
    ...bodyColumns(table),
    ...(table.tenant && 'column' in table.tenant ? [table.tenant.column] : []),
    ...(table.acl ? [table.acl.column] : []),
    ...(table.metadata ?? []),
  ];
  return [...new Set(columns)];
}

/** Whether any projected column was left out of the change because its TOASTed value did not change. */
export function hasUnavailable(row: Row, table: TableConfig): boolean {
  return projectedColumns(table).some((column) => isUnavailable(row[column] ?? null));
}

/**
 * Takes from a row what the config maps. An unchanged TOASTed column comes from `base`, the document's last version.
 * @throws MappingFailed when a mapped column is missing or unusable; never guesses a tenant or an ACL.
 * @throws ContentUnavailable when a column was left out and there is no base that has it.
 */
export function projectRow(row: Row, table: TableConfig, base: Document | undefined): Projection {
  const column = (name: string): ColumnValue => {
    const value = row[name];
    if (value === undefined)
      throw new MappingFailed(
        `Column "${name}" of ${table.table} is mapped but not in the row; adapt the mapping or restore the column, then retry.`,
      );
    return value;
  };
  const carried = <T>(name: string, fromBase: (document: Document) => T | undefined): T => {
    const value = base && fromBase(base);
    if (value === undefined)
      throw new ContentUnavailable(
        `Column "${name}" of ${table.table} was left out of the change (unchanged TOAST) and no earlier version holds it; touch the row with its full text, or set REPLICA IDENTITY FULL.`,
      );
    return value;
  };
  const textOf = (name: string, fromBase: (document: Document) => string | undefined): string => {
    const value = column(name);
    return isUnavailable(value) ? carried(name, fromBase) : columnText(value);
  };
  return {
    title: table.title === undefined ? '' : textOf(table.title, (document) => document.title),
    parts: bodyColumns(table).map((name): BodyPart => ({
      name,
      text: textOf(name, (document) => document.parts.find((part) => part.name === name)?.text),
    })),
    bodyFormat: table.bodyFormat ?? 'text',
    tenant: tenantOf(table, (name) => textOf(name, (document) => document.tenant)),
    acl: aclOf(table, (name) => {
      const value = column(name);
      return isUnavailable(value) ? carried(name, (document) => document.acl ?? undefined) : value;
    }),
    metadata: Object.fromEntries(
      (table.metadata ?? []).map((name): [string, MetadataValue] => {
        const value = column(name);
        return [
          name,
          isUnavailable(value) ? carried(name, (document) => document.metadata[name]) : columnMetadata(value),
        ];
      }),
    ),
  };
}

function bodyColumns(table: TableConfig): readonly string[] {
  return typeof table.body === 'string' ? [table.body] : table.body;
}

function isUnavailable(value: ColumnValue): boolean {
  return value === UNAVAILABLE || (Array.isArray(value) && value.includes(UNAVAILABLE));
}

function tenantOf(table: TableConfig, textOf: (column: string) => string): string {
  if (!table.tenant) return DEFAULT_TENANT;
  if ('value' in table.tenant) return table.tenant.value;
  const tenant = textOf(table.tenant.column);
  if (tenant === '')
    throw new MappingFailed(
      `Tenant column "${table.tenant.column}" of ${table.table} is empty; a document without a tenant is not indexed.`,
    );
  return tenant;
}

/** NULL in the ACL column means nobody: an empty scope matches nothing (I10). */
function aclOf(table: TableConfig, valueOf: (column: string) => ColumnValue): readonly string[] | null {
  if (!table.acl) return null;
  const value = valueOf(table.acl.column);
  if (value === null) return [];
  if (!Array.isArray(value))
    throw new MappingFailed(`ACL column "${table.acl.column}" of ${table.table} is not an array; make it text[].`);
  return value.map((group: ColumnValue) => columnText(group)).filter((group) => group !== '');
}
