/** A stretch of an answer with the markers of the passages that it cites; none when it cites nothing. */
export interface Statement {
  readonly text: string;
  readonly markers: readonly number[];
}

const MARKERS = /((?:\s*\[\d{1,3}\])+)/;

/** Cuts an answer behind its markers: `Jobs are retried. [1] Three times. [2][3]` has two statements. */
export function statementsOf(answer: string): readonly Statement[] {
  const parts = answer.split(MARKERS);
  const statements: Statement[] = [];
  for (let i = 0; i < parts.length; i += 2) {
    const text = (parts[i] ?? '').trim();
    const markers = [...(parts[i + 1] ?? '').matchAll(/\d+/g)].map(([marker]) => Number(marker));
    if (/[\p{L}\p{N}]/u.test(text)) statements.push({ text, markers });
  }
  return statements;
}
