/*
 * What the filter knows, under the names that Presidio uses, so that a policy can be carried over.
 */

/** Every entity; the order decides between matches of equal evidence and length. */
export const ENTITIES = [
  'SECRET',
  'URL_CREDENTIALS',
  'EMAIL_ADDRESS',
  'CREDIT_CARD',
  'IBAN_CODE',
  'US_SSN',
  'PHONE_NUMBER',
  'IP_ADDRESS',
] as const;

export type Entity = (typeof ENTITIES)[number];

/** Labels that are shorter than the name. */
const LABELS: Partial<Record<Entity, string>> = {
  EMAIL_ADDRESS: 'EMAIL',
  PHONE_NUMBER: 'PHONE',
  IBAN_CODE: 'IBAN',
  IP_ADDRESS: 'IP',
};

/** What stands in the text instead of a value: `[EMAIL]`. */
export const labelOf = (entity: Entity): string => LABELS[entity] ?? entity;

export const isEntity = (name: string): name is Entity => (ENTITIES as readonly string[]).includes(name);
