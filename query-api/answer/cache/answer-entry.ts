import Type from 'typebox';
import { Check } from 'typebox/value';

/** A piece of an answer as it was sent, in order. */
const AnswerPiece = Type.Union([
  Type.Object({ kind: Type.Literal('token'), text: Type.String() }),
  Type.Object({ kind: Type.Literal('citation'), marker: Type.Integer({ minimum: 1 }), quote: Type.String() }),
]);
export type AnswerPiece = Type.Static<typeof AnswerPiece>;

/** An answer that may be given again. Its citations are claims: whoever gives it again verifies them anew. */
const AnswerEntry = Type.Object({
  pieces: Type.Array(AnswerPiece),
  model: Type.String(),
  prompt: Type.Optional(Type.String()),
});
export type AnswerEntry = Type.Static<typeof AnswerEntry>;

/** As bytes; neighbouring pieces of text become one. */
export function encodeEntry(entry: AnswerEntry): Uint8Array {
  const pieces: AnswerPiece[] = [];
  for (const piece of entry.pieces) {
    const last = pieces.at(-1);
    if (piece.kind === 'token' && last?.kind === 'token')
      pieces.splice(-1, 1, { kind: 'token', text: last.text + piece.text });
    else pieces.push(piece);
  }
  return Buffer.from(JSON.stringify({ ...entry, pieces }));
}

/** Undefined for bytes that are not an entry: a cache may hold anything. */
export function decodeEntry(bytes: Uint8Array): AnswerEntry | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    return Check(AnswerEntry, value) ? value : undefined;
  } catch {
    return undefined;
  }
}
