import type { ConnectType } from '../../schemas/table-layout.ts';

/** Type of a row's column by name; undefined when the schema has none. */
export type ColumnTypes = (column: string) => ConnectType | undefined;

type Json = Readonly<Record<string, unknown>>;

const NO_TYPES: ColumnTypes = () => undefined;

/** Avro schemas are one object per number in the registry, so that each is walked once. */
const avroTypes = new WeakMap<object, ColumnTypes>();

/**
 * Types of the columns of `before` and `after`, from the schema that came with an envelope: Kafka Connect's own, as its JSON converter
 * embeds it, or the Avro schema of a registry.
 */
export function rowTypes(schema: unknown): ColumnTypes {
  if (!isObject(schema)) return NO_TYPES;
  if (schema['type'] === 'record') {
    const known = avroTypes.get(schema) ?? avroRowTypes(schema);
    avroTypes.set(schema, known);
    return known;
  }
  const row = fieldsOf(schema).find((field) => field['field'] === 'after') ?? {};
  const columns = new Map(fieldsOf(row).map((field) => [String(field['field']), field]));
  return (column) => {
    const field = columns.get(column);
    return field && connectType(field);
  };
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function fieldsOf(schema: Json): readonly Json[] {
  const { fields } = schema;
  return Array.isArray(fields) ? fields.filter(isObject) : [];
}

const CONNECT_TYPES: Readonly<Record<string, ConnectType['type']>> = {
  int8: 'int',
  int16: 'int',
  int32: 'int',
  int64: 'int',
  float: 'float',
  double: 'double',
  boolean: 'boolean',
  string: 'string',
  bytes: 'bytes',
  array: 'array',
  struct: 'struct',
  map: 'map',
};

function connectType(schema: Json): ConnectType | undefined {
  const type = CONNECT_TYPES[String(schema['type'])];
  return type && described(type, schema['name'], schema['parameters'], schema['items'], connectType);
}

const AVRO_TYPES: Readonly<Record<string, ConnectType['type']>> = {
  int: 'int',
  long: 'int',
  float: 'float',
  double: 'double',
  boolean: 'boolean',
  string: 'string',
  enum: 'string',
  bytes: 'bytes',
  fixed: 'bytes',
  array: 'array',
  record: 'struct',
  map: 'map',
};

function avroRowTypes(schema: Json): ColumnTypes {
  const named = new Map<string, Json>();
  collectNamed(schema, undefined, named);
  const row = fieldsOf(schema)
    .filter((field) => field['name'] === 'before' || field['name'] === 'after')
    .map((field) => record(field['type'], named))
    .find((found) => found !== undefined);
  const columns = new Map(
    fieldsOf(row ?? {}).map((field) => [String(field['name']), avroType(field['type'])] as const),
  );
  return (column) => columns.get(column);
}

/** Records by name: `after` names the one that `before` defines. */
function collectNamed(schema: unknown, namespace: string | undefined, named: Map<string, Json>): void {
  if (Array.isArray(schema)) for (const branch of schema) collectNamed(branch, namespace, named);
  if (!isObject(schema)) return;
  const own = typeof schema['namespace'] === 'string' ? schema['namespace'] : namespace;
  if (schema['type'] === 'record') {
    const name = String(schema['name']);
    named.set(name, schema);
    if (own !== undefined) named.set(`${own}.${name}`, schema);
    for (const field of fieldsOf(schema)) collectNamed(field['type'], own, named);
  } else if (isObject(schema['type'])) collectNamed(schema['type'], own, named);
}

function record(type: unknown, named: ReadonlyMap<string, Json>): Json | undefined {
  const branches: readonly unknown[] = Array.isArray(type) ? type : [type];
  for (const branch of branches) {
    if (typeof branch === 'string' && named.has(branch)) return named.get(branch);
    if (isObject(branch) && branch['type'] === 'record') return branch;
  }
  return undefined;
}

/** An optional value is a union with null; its other branch is the type. */
function avroType(type: unknown): ConnectType | undefined {
  if (Array.isArray(type)) return avroType(type.find((branch) => branch !== 'null'));
  if (typeof type === 'string') return AVRO_TYPES[type] && { type: AVRO_TYPES[type] };
  if (!isObject(type)) return undefined;
  if (typeof type['type'] !== 'string') return avroType(type['type']);
  const known = AVRO_TYPES[type['type']];
  return known && described(known, type['connect.name'], type['connect.parameters'], type['items'], avroType);
}

function described(
  type: ConnectType['type'],
  name: unknown,
  parameters: unknown,
  items: unknown,
  typeOf: (schema: Json) => ConnectType | undefined,
): ConnectType {
  const length = isObject(parameters) ? Number(parameters['length'] ?? parameters['scale']) : Number.NaN;
  const element = items === undefined ? undefined : typeOf(items as Json);
  return {
    type,
    ...(typeof name === 'string' && { name }),
    ...(Number.isInteger(length) && { length }),
    ...(element && { items: element }),
  };
}
