import type { AppendRecord } from '../ports/log/log.ts';
import { systemClock } from '../runtime/clock.ts';
import { envelopeVersion, type Envelope } from '../schemas/envelope.ts';
import { documentId } from '../schemas/ids.ts';
import { formatLsn, type Lsn } from '../schemas/lsn.ts';
import { tableTopic, VERSION_HEADER } from '../schemas/topics.ts';

export const SOURCE = 'bench';
export const TABLE = 'public.articles';
export const TOPIC = tableTopic(SOURCE, 'public', 'articles');
/** A table that is read as a whole while the other one changes. */
export const ARCHIVE_TABLE = 'public.archive';
export const ARCHIVE_TOPIC = tableTopic(SOURCE, 'public', 'archive');

interface Row {
  readonly title: string;
  readonly body: string;
}

const SYLLABLES = 'ba ce di fo gu ha je ki lo mu na pe ri so tu va we xi yo zu'.split(' ');

/** Numbers in [0, 1) from a seed, the same ones each time. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
}

/** A word of an imaginary language of 8,000 words; small numbers are frequent, as in a real one. */
export function wordOf(random: () => number): string {
  let rank = Math.floor(8_000 * random() ** 3);
  let word = '';
  do {
    word += SYLLABLES[rank % SYLLABLES.length] ?? '';
    rank = Math.floor(rank / SYLLABLES.length);
  } while (rank > 0);
  return word.length < 3 ? `${word}n` : word;
}

/** About `characters` of sentences; no two seeds give the same text. */
export function textOf(seed: number, characters: number): string {
  const random = randomOf(seed * 2_654_435_761 + 1);
  let text = '';
  while (text.length < characters) {
    const words = Array.from({ length: 8 + Math.floor(random() * 8) }, () => wordOf(random));
    text += `${words.join(' ')}. `;
  }
  return text.trim();
}

/** The document of row `n`: the id that results carry. */
export function idOf(n: number): string {
  return documentId({ source: SOURCE, table: TABLE, key: [String(n)] });
}

/** Change `lsn` of row `n` as our own connector writes it. */
export function changeOf(n: number, lsn: number, row: Row): AppendRecord {
  const envelope = envelopeOf(n, row, { op: 'c', table: 'articles', lsn, snapshot: 'false' });
  return { topic: TOPIC, key: idOf(n), ...carried(envelope) };
}

/** Row `n` of another table as a snapshot reads it. */
export function archivedRow(n: number, row: Row): AppendRecord {
  const envelope = envelopeOf(n, row, { op: 'r', table: 'archive', lsn: 0, snapshot: 'true' });
  const key = documentId({ source: SOURCE, table: ARCHIVE_TABLE, key: [String(n)] });
  return { topic: ARCHIVE_TOPIC, key, ...carried(envelope) };
}

function envelopeOf(
  n: number,
  row: Row,
  { op, table, lsn, snapshot }: Pick<Envelope, 'op'> & { table: string; lsn: number; snapshot: 'true' | 'false' },
): Envelope {
  const position = formatLsn(BigInt(lsn) as Lsn);
  const now = systemClock.now();
  return {
    op,
    before: null,
    after: { id: String(n), ...row },
    source: {
      connector: 'postgresql',
      name: SOURCE,
      schema: 'public',
      table,
      lsn: position,
      commitLsn: position,
      ts_ms: now,
      snapshot,
      epoch: 0,
    },
    ts_ms: now,
  };
}

function carried(envelope: Envelope): Pick<AppendRecord, 'value' | 'headers'> {
  return {
    value: Buffer.from(JSON.stringify(envelope)),
    headers: { [VERSION_HEADER]: String(envelopeVersion(envelope)) },
  };
}

/** Rows of about three passages each, as changes. */
export function changes(from: number, count: number, characters = 2_200): readonly AppendRecord[] {
  return Array.from({ length: count }, (_, i) => {
    const n = from + i;
    return changeOf(n, 1_000 + n, { title: `Article ${n}`, body: textOf(n, characters) });
  });
}
