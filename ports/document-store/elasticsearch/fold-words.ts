/** A character between two letters or digits at which Elasticsearch's standard tokenizer does not end a word (UAX #29), and words end here. */
const JOINER =
  /(?<=[\p{L}\p{N}\p{M}])[.:_,;'’·\u2024\u2027\ufe13\ufe52\ufe55\uff07\uff0e\uff1a\uff3f\u203f]+(?=[\p{L}\p{N}])/gu;
// oxlint-disable-next-line no-control-regex -- the range is that of ASCII, NUL left out
const IS_ASCII = /^[\x01-\x7f]*$/;

/**
 * A text as it is indexed and asked for: without accents, and with a blank where a word ends inside a compound (`v1.13.0`, `foo_bar`),
 * so that its parts are found and the whole is a phrase. Done here and not by an analyzer, so that every distribution and every language's
 * analyzer searches the same words as the embedded index. Characters that UTF-8 or the tokenizer cannot carry become others.
 */
export function foldWords(text: string): string {
  const split = text.replace(JOINER, ' ');
  if (IS_ASCII.test(split)) return split;
  return split
    .replaceAll('\0', ' ')
    .replace(/\p{Surrogate}/gu, '\ufffd')
    .normalize('NFD')
    .replace(/[\u0300-\u036f]/g, '')
    .normalize('NFC');
}
