import { hash } from 'node:crypto';
import type { Document } from '../schemas/document.ts';

/**
 * Hash of everything of a document that the index serves, and of nothing else: equal for equal content, whatever the version,
 * position or time. Two documents with the same hash need no new passage, vector or ACL.
 */
export function contentHash(document: Document): string {
  const metadata = Object.entries(document.metadata).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  const acl = document.acl && [...document.acl].sort();
  const parts = document.parts.map((part) => [part.name, part.text]);
  const content = [
    document.title,
    document.bodyFormat,
    parts,
    document.tenant,
    acl,
    metadata,
    document.piiPolicy ?? '',
  ];
  return hash('sha256', JSON.stringify(content), 'base64url');
}
