import { PiiFilterFailed } from '../../runtime/errors.ts';
import type { Document, MetadataValue } from '../../schemas/document.ts';
import type { Entity } from '../pii/entities.ts';
import type { PiiPolicy } from '../pii/policy.ts';
import { redact, type Field } from '../pii/redact.ts';

/** A document that may be embedded, logged and stored, and how many values of which kind it lost. */
export interface Filtered {
  readonly document: Document;
  readonly findings: ReadonlyMap<Entity, number>;
}

/**
 * Redacts the title, every part of the body and the text in metadata. Identity, tenant, ACL, source and version stay as they are.
 * Idempotent, so that a document may be put together from parts that have been filtered and parts that have not.
 * Fails closed: there is no way to get unfiltered text out of it.
 * @throws PiiFilterFailed for whatever goes wrong; its message holds nothing of the text.
 */
export function filterPii(document: Document, policy: PiiPolicy): Filtered {
  const findings = new Map<Entity, number>();
  if (policy.mode === 'off') return { document: { ...document, piiPolicy: policy.fingerprint }, findings };
  try {
    const clean = (field: Field) => redact(field, policy, document.tenant, findings);
    const title = clean({ name: 'title', text: document.title });
    const parts = document.parts.map((part) => ({ name: part.name, text: clean(part) }));
    const metadata = Object.fromEntries(
      Object.entries(document.metadata).map(([name, value]) => [name, cleanValue(name, value, clean)]),
    );
    return { document: { ...document, title, parts, metadata, piiPolicy: policy.fingerprint }, findings };
  } catch (error) {
    if (error instanceof PiiFilterFailed) throw error;
    // The cause may quote the text (a RangeError of a string method does not, but the next one may): it is named, not carried.
    throw new PiiFilterFailed(`the PII filter failed with ${error instanceof Error ? error.name : typeof error}`);
  }
}

function cleanValue(name: string, value: MetadataValue, clean: (field: Field) => string): MetadataValue {
  if (typeof value === 'string') return clean({ name, text: value, isMetadata: true });
  if (Array.isArray(value)) return value.map((text: string) => clean({ name, text, isMetadata: true }));
  return value;
}
