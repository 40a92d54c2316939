/*
 * Words of a question and of a sentence, made comparable: lower case, light English stemming, identifiers whole and in parts,
 * bigrams for scripts without spaces. Enough to weigh evidence; retrieval has its own analysis.
 */

const WORD = /[\p{L}\p{N}_]+(?:[.'’:/@-][\p{L}\p{N}_]+)*/gu;
const HAN_KANA = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/u;
const CAMEL_HUMP = /(?<=[\p{Ll}\p{N}])(?=\p{Lu})/u;

/** Words of grammar, which say nothing about what a text is about. */
export const STOPWORDS: ReadonlySet<string> = new Set(
  `a an the this that these those and or but nor if then else than as of in on at by for to from with without within into onto over
  under about between among through during before after above below up down out off again once here there all any both each few more
  most other another some such no not only own same so too very s t can could will would shall should may might must do does did done
  doing have has had having be is are was were been being am i me my we us our you your he him his she her it its they them their who
  whom whose which what when where why how whether while because until against also just ever even yet many much one upon via per etc
  please tell give show list describe explain name mean means meaning get gets got let know use used uses using user's make makes made
  according there's what's it's don't doesn't isn't aren't can't i'm
  der das den dem des ein eine einer einem einen eines und oder von vom zu zum zur im mit bei nach für auf aus über durch wie wer wem wen
  welche welcher welches welchem welchen wo wann warum wofür womit woher wieso viel viele ist sind wird werden wurde wurden hat haben
  hatte hatten kann können sich als auch es er sie ihr ihre ihrem ihren seine seiner seinem seinen nicht dass ما ماذا من متى أين كيف كم
  لماذا هل هو هي في على إلى عن مع التي الذي أي كان كانت`.split(/\s+/),
);

/** Words that questions are built with, whatever they are about: weak evidence when present, weak doubt when absent. */
const GENERIC = new Set(
  `way ways thing things kind kinds type types number example examples case cases part parts reason reasons result results difference
  differences different similar compare compared comparison relate related relationship key main important consider considered specific
  certain particular various several available possible best better good new first second two three long term time times year years day
  help need needs want work works working provide provides provided include includes included including involve allow allows enable
  enables ensure happen happens become becomes come comes go goes take takes taken call called find found say says said think see seen
  look set sets change changes affect effect effects impact cause caused causes purpose role benefit benefits advantage advantages
  feature features factor factors step steps process approach approaches method methods option options ability capability capabilities
  amount people person place area like well high low large small great improve improved perform performed performance instead rather
  recommend recommended suggest choose choosing right vs versus choice determine know known define definition general typically usually
  additional both together order form current currently`
    .split(/\s+/)
    .map(stem),
);

/** What Chinese questions are built with; it would make word pairs that no answer holds ("演是", "是谁"). */
const CHINESE_QUESTION_WORDS =
  /是?什么(?:时候|时间|地方|类型)?|何时|何地|哪(?:个|里|儿|些|一?年)?|谁|多少|几个?|怎么样?|如何|为什么|为何|请问|吗|呢|是|的|了/gu;

/** A content word of a question. */
export interface QuestionTerm {
  readonly stem: string;
  /** How much its absence from the evidence counts; 1 for an ordinary content word. */
  readonly weight: number;
}

const GENERIC_WEIGHT = 0.35;
const NAME_WEIGHT = 1.6;

/** Content words of a question, each once. All its words when it has no content word ("what is it?"). */
export function questionTerms(question: string): readonly QuestionTerm[] {
  const terms = new Map<string, number>();
  const all = [...words(question.replace(CHINESE_QUESTION_WORDS, ' '))];
  for (const [index, word] of all.entries()) {
    const lower = word.toLowerCase();
    if (STOPWORDS.has(lower)) continue;
    const isName = /\p{N}|_|[\p{L}\p{N}][.:/@][\p{L}\p{N}]/u.test(word) || (index > 0 && /^\p{Lu}/u.test(word));
    for (const stemmed of stemsOf(word, { whole: true })) {
      const weight = GENERIC.has(stemmed) ? GENERIC_WEIGHT : isName ? NAME_WEIGHT : 1;
      terms.set(stemmed, Math.max(weight, terms.get(stemmed) ?? 0));
    }
  }
  if (terms.size === 0) for (const word of all) terms.set(stem(word.toLowerCase()), 1);
  return [...terms].map(([stemmed, weight]) => ({ stem: stemmed, weight }));
}

/** Stems that occur in a text, identifiers whole and in parts. */
export function stemSet(text: string): ReadonlySet<string> {
  const stems = new Set<string>();
  for (const word of words(text)) {
    if (/^[a-z]+$/.test(word)) {
      stems.add(stem(word)); // most words: whole and parts are the same
      continue;
    }
    for (const stemmed of stemsOf(word, { whole: true })) stems.add(stemmed);
    for (const stemmed of stemsOf(word, { whole: false })) stems.add(stemmed);
  }
  return stems;
}

function* words(text: string): Iterable<string> {
  for (const match of text.normalize('NFKC').matchAll(WORD)) yield match[0].replace(/['’]s$/u, '');
}

/** `whole`: an identifier stays one term; else its parts. Scripts without spaces always become bigrams. */
function* stemsOf(word: string, form: { readonly whole: boolean }): Iterable<string> {
  if (HAN_KANA.test(word)) {
    const chars = Array.from(word);
    if (chars.length === 1) yield word;
    for (let i = 0; i + 1 < chars.length; i++) yield `${chars[i]}${chars[i + 1]}`;
    return;
  }
  // Hyphenated words are written apart as often as together, so even a whole one goes by its parts.
  const pieces = form.whole ? word.split('-') : word.split(/[^\p{L}\p{N}]+/u).flatMap((part) => part.split(CAMEL_HUMP));
  for (const piece of pieces) if (piece !== '') yield stem(piece.toLowerCase());
}

/** Plurals, -ing, -ed, -ly and the commonest derivations; wrong now and then, always the same way on both sides. */
export function stem(word: string): string {
  if (word.length <= 3 || !/^[a-z]+$/.test(word)) return word;
  let stemmed = word;
  if (stemmed.endsWith('ies') && stemmed.length > 4) stemmed = `${stemmed.slice(0, -3)}y`;
  else if (/(?:ss|sh|ch|x|z)es$/.test(stemmed)) stemmed = stemmed.slice(0, -2);
  else if (/[^suiy]s$/.test(stemmed) || stemmed.endsWith('ys')) stemmed = stemmed.slice(0, -1);
  for (const suffix of [
    'ization',
    'isation',
    'ational',
    'fulness',
    'ations',
    'ation',
    'ments',
    'ment',
    'ingly',
    'edly',
    'ing',
    'ion',
    'ed',
    'er',
    'ly',
    'al',
    'ive',
  ]) {
    if (!stemmed.endsWith(suffix) || stemmed.length - suffix.length < 4) continue;
    stemmed = stemmed.slice(0, -suffix.length);
    break;
  }
  stemmed = stemmed.replace(/(?:at|iz|is)$/, (end) => (stemmed.length > 5 ? '' : end));
  return stemmed.replace(/([^aeiouls])\1$/, '$1').replace(/(?<=.{3})[ey]$/, '');
}
