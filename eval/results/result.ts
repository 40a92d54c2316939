/** Figures of one metric for every query of a set, all of them such that more is better. */
export interface MetricValues {
  /** As tables show it: `hybrid nDCG@10`. */
  readonly metric: string;
  /** One a query, in the order of the set's `queries`. */
  readonly values: readonly number[];
}

/** A set, or a class of questions of it, that was measured. */
export interface MeasuredSet {
  readonly set: string;
  /** Ids by which two runs are paired; each once. */
  readonly queries: readonly string[];
  readonly metrics: readonly MetricValues[];
}

/** What a run was made with. Two runs may differ in any of it: that is what they are compared for. */
export interface Measured {
  readonly suite: string;
  /** ISO 8601, UTC. */
  readonly measuredAt: string;
  /** Of the checkout that ran, with `+` behind it where files had been changed; null outside of one. */
  readonly commit: string | null;
  /** The first 12 hexadecimal digits of the SHA-256 of the settings: equal digests, equal settings. */
  readonly configDigest: string;
  readonly model: string;
  readonly store: string;
}

/** The figures of one run, query by query: all that a comparison needs. Kept as one file of JSON. */
export interface EvalResult extends Measured {
  /** Of this form. A reader refuses any other. */
  readonly version: typeof RESULT_VERSION;
  readonly sets: readonly MeasuredSet[];
}

export const RESULT_VERSION = 1;

/** Digits behind the point that are kept: far finer than any interval, and files of half the size. */
const PRECISION = 1e4;

/** A result of the current version, its figures rounded to four digits. */
export function resultOf(measured: Measured, sets: readonly MeasuredSet[]): EvalResult {
  const rounded = sets.map((each) => ({
    ...each,
    metrics: each.metrics.map(({ metric, values }) => ({
      metric,
      values: values.map((value) => Math.round(value * PRECISION) / PRECISION),
    })),
  }));
  return { version: RESULT_VERSION, ...measured, sets: rounded };
}

/**
 * Reads the JSON of a stored run.
 * @throws SyntaxError saying what is wrong: no JSON, another version, a field that is missing, or figures that are not one a query.
 */
export function parseResult(text: string): EvalResult {
  const value = parse(text);
  if (!isRecord(value)) throw new SyntaxError('is not an object');
  const version = value['version'];
  if (version !== RESULT_VERSION)
    throw new SyntaxError(`has the version ${JSON.stringify(version) ?? 'none'}; this Freshet reads ${RESULT_VERSION}`);
  for (const name of ['suite', 'measuredAt', 'configDigest', 'model', 'store'])
    if (typeof value[name] !== 'string') throw new SyntaxError(`lacks the text ${name}`);
  if (value['commit'] !== null && typeof value['commit'] !== 'string') throw new SyntaxError('lacks the commit');
  if (!Array.isArray(value['sets'])) throw new SyntaxError('lacks the list of sets');
  for (const set of value['sets']) checkSet(set);
  return value as unknown as EvalResult;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SyntaxError('is not JSON', { cause });
  }
}

function checkSet(set: unknown): void {
  if (!isRecord(set) || typeof set['set'] !== 'string') throw new SyntaxError('has a set without a name');
  const { set: name, queries, metrics } = set;
  if (!Array.isArray(queries) || !queries.every((id) => typeof id === 'string') || !Array.isArray(metrics))
    throw new SyntaxError(`has no queries or no metrics for ${name}`);
  if (new Set(queries).size < queries.length) throw new SyntaxError(`has a query of ${name} twice`);
  for (const each of metrics as unknown[]) {
    const { metric, values } = isRecord(each) ? each : {};
    if (typeof metric !== 'string' || !Array.isArray(values) || !values.every((value) => Number.isFinite(value)))
      throw new SyntaxError(`has a metric of ${name} without a name or figures`);
    if (values.length !== queries.length)
      throw new SyntaxError(`has ${values.length} figures of ${metric} for ${queries.length} queries of ${name}`);
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
