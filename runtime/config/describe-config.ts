import { stringify } from 'yaml';
import type { ResolvedConfig } from './config.ts';
import { configShape, discriminatorOf, type Shape } from './shape.ts';

const HIDDEN = '***';

/** The config in force as YAML, defaults included. Secrets are `***`; connection URLs keep user, host and database. */
export function describeConfig(config: ResolvedConfig): string {
  return stringify(redactConfig(config), { lineWidth: 0 });
}

/** The config in force as a plain value in which no secret is left. */
export function redactConfig(config: ResolvedConfig): unknown {
  const { cluster, ...rest } = config;
  return redact(configShape, { ...rest, ...cluster });
}

function redact(shape: Shape | undefined, value: unknown): unknown {
  // What the table does not describe cannot be known to be harmless.
  if (!shape) return HIDDEN;
  if (shape.secret === true) return HIDDEN;
  if (shape.secret === 'url') return withoutPassword(String(value));
  if (Array.isArray(value)) {
    const list = shape.type === 'array' ? shape : shape.anyOf?.find((branch) => branch.type === 'array');
    return value.map((item) => redact(list?.items, item));
  }
  if (typeof value !== 'object' || value === null) return value;
  const properties = propertiesFor(shape, value as Record<string, unknown>);
  const entries = Object.entries(value).map(([key, inner]) => [key, redact(properties[key], inner)]);
  return Object.fromEntries(entries) as unknown;
}

function propertiesFor(shape: Shape, value: Record<string, unknown>): Readonly<Record<string, Shape>> {
  if (shape.properties) return shape.properties;
  const branches = (shape.anyOf ?? []).filter((branch) => branch.type === 'object');
  const discriminator = discriminatorOf(branches);
  const branch = branches.find((candidate) =>
    discriminator
      ? candidate.properties?.[discriminator]?.const === value[discriminator]
      : Object.keys(value).every((key) => candidate.properties?.[key]),
  );
  return branch?.properties ?? {};
}

/** A URL for logs and errors: user, host, port and path stay; the password and every parameter (which may hold one) go. */
export function withoutPassword(url: string): string {
  if (!URL.canParse(url)) return HIDDEN;
  const parsed = new URL(url);
  const user = parsed.username === '' ? '' : `${parsed.username}${parsed.password === '' ? '' : `:${HIDDEN}`}@`;
  return `${parsed.protocol}//${user}${parsed.host}${parsed.pathname}`;
}
