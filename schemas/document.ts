import Type from 'typebox';
import type { DocumentId, PassageId } from './ids.ts';
import { RemoveBelow, Watermark } from './marker.ts';
import type { SourceVersion } from './version.ts';

/** How a body is written; decides how it is parsed and cut into passages. */
export const BodyFormat = Type.Union([Type.Literal('text'), Type.Literal('markdown'), Type.Literal('html')]);
export type BodyFormat = Type.Static<typeof BodyFormat>;

/** A value of metadata, as results show it and filters compare it. */
export const MetadataValue = Type.Union([
  Type.String(),
  Type.Number(),
  Type.Boolean(),
  Type.Null(),
  Type.Array(Type.String()),
]);
export type MetadataValue = string | number | boolean | null | readonly string[];

/** Where a document comes from. `key` is the key as the id encodes it. */
export const DocumentSource = Type.Object({ name: Type.String(), table: Type.String(), key: Type.String() });
export type DocumentSource = Type.Static<typeof DocumentSource>;

const common = {
  id: Type.String({ description: 'DocumentId' }),
  version: Type.String({ description: 'Decimal SourceVersion.' }),
  source: DocumentSource,
  position: Type.String({ description: 'Position of the commit in the source.' }),
  committedAt: Type.Number({ description: 'ms since the epoch' }),
};

/** A part of the body, by the column it came from, so that an unchanged TOASTed column can be carried over from the last version. */
export const BodyPart = Type.Object({ name: Type.String(), text: Type.String() });
export type BodyPart = Type.Static<typeof BodyPart>;

/** Wire form of a document: the value of `freshet.documents`, projected and redacted. */
export const DocumentRecord = Type.Object({
  kind: Type.Literal('document'),
  ...common,
  tenant: Type.String({ minLength: 1 }),
  acl: Type.Union([Type.Array(Type.String()), Type.Null()], {
    description: 'Groups that may read it; null: every member of the tenant; empty: nobody.',
  }),
  title: Type.String(),
  parts: Type.Array(BodyPart),
  bodyFormat: BodyFormat,
  metadata: Type.Record(Type.String(), MetadataValue),
  pgSnapshot: Type.Optional(
    Type.String({
      description: "Transactions of PostgreSQL's that the row shows although their changes come behind it.",
    }),
  ),
  piiPolicy: Type.Optional(
    Type.String({ description: 'Fingerprint of the PII policy that the text has been through.' }),
  ),
});

/** Wire form of a deletion. It outlives every replay. */
export const TombstoneRecord = Type.Object({ kind: Type.Literal('tombstone'), ...common });

/**
 * Content on its way from the old id of a renamed document to the new one, for columns that the change left out. Kept under a key of
 * its own until the new document has taken it over.
 */
export const CarriedRecord = Type.Object({
  kind: Type.Literal('carried'),
  to: Type.String({ description: 'DocumentId of the renamed document.' }),
  version: Type.String({ description: 'Decimal SourceVersion of the key change.' }),
  document: Type.Optional(DocumentRecord),
});

/** One value of the topic `freshet.documents`. */
export const DocumentsRecord = Type.Union([DocumentRecord, TombstoneRecord, CarriedRecord, Watermark, RemoveBelow]);
export type DocumentsRecord = Type.Static<typeof DocumentsRecord>;

/** A document as code sees it: one row or webhook document, projected; redacted once it has left filter-pii. */
export interface Document {
  readonly kind: 'document';
  readonly id: DocumentId;
  readonly version: SourceVersion;
  readonly source: DocumentSource;
  readonly position: string;
  readonly committedAt: number;
  readonly tenant: string;
  readonly acl: readonly string[] | null;
  /** Of a row that was read when an interrupted snapshot went on: what it shows, as `pg_current_snapshot()` prints it. */
  readonly pgSnapshot?: string;
  readonly title: string;
  readonly parts: readonly BodyPart[];
  readonly bodyFormat: BodyFormat;
  readonly metadata: { readonly [name: string]: MetadataValue };
  readonly piiPolicy?: string;
}

/** A deletion as code sees it. */
export interface Tombstone {
  readonly kind: 'tombstone';
  readonly id: DocumentId;
  readonly version: SourceVersion;
  readonly source: DocumentSource;
  readonly position: string;
  readonly committedAt: number;
}

/** Content that a rename carries over; without `document` it has been taken and is forgotten. */
export interface Carried {
  readonly kind: 'carried';
  readonly to: DocumentId;
  readonly version: SourceVersion;
  readonly document?: Document;
}

/** What flows from decode-change to the index sink. */
export type DocumentChange = Document | Tombstone | Carried | Watermark | RemoveBelow;

/** The body as one text: the parts that are not empty, joined by a blank line. */
export function documentBody(parts: readonly BodyPart[]): string {
  return parts
    .map((part) => part.text)
    .filter((text) => text !== '')
    .join('\n\n');
}

/** A stored and retrieved unit of a document: `text` is `body.slice(start, end)` of the text that is stored with the document. */
export interface Passage {
  readonly id: PassageId;
  readonly ordinal: number;
  /** UTF-16 code units into the stored text, end exclusive. */
  readonly start: number;
  readonly end: number;
  readonly text: string;
  /** Headings above the passage, outermost first. */
  readonly headings: readonly string[];
  readonly tokens: number;
  /** Hash of everything that decides the vector: embedded text, model, revision, parameters. */
  readonly vectorKey: string;
}

/** How a passage was made (R21). */
export interface Lineage {
  readonly chunker: string;
  readonly piiPolicy: string;
  /** Model, revision and parameters. */
  readonly embedder: string;
}
