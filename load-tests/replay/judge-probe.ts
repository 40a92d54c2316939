/** One question about a change, as the data sets state it. */
export interface Probe {
  readonly _id: string;
  readonly type: 'insert' | 'update' | 'create' | 'delete';
  readonly doc: string;
  readonly query: string;
  readonly eval_after_seq: number;
  /** Must be in a result. */
  readonly fresh_text?: string;
  /** Must not be in a result of the document. */
  readonly stale_text?: string;
  /** Must be among the documents of the results. */
  readonly expect_doc?: string;
  /** Must not be among them. */
  readonly forbid_doc?: string;
}

export interface ProbeVerdict {
  readonly probe: string;
  readonly type: Probe['type'];
  /** undefined where the probe expects nothing. */
  readonly found: boolean | undefined;
  readonly stale: boolean;
  readonly forbidden: boolean;
  readonly tookMs: number;
  readonly why: string;
}

/** Judges the results of a probe. Text counts as found in one passage, white space aside. */
export function judgeProbe(
  probe: Probe,
  results: readonly { readonly documentId: string; readonly text: string }[],
  documentId: string,
  tookMs: number,
): ProbeVerdict {
  const own = results.filter((result) => result.documentId === documentId);
  const holds = (text: string | undefined): boolean =>
    text !== undefined && own.some((result) => squeeze(result.text).includes(squeeze(text)));
  const found =
    probe.fresh_text !== undefined
      ? holds(probe.fresh_text)
      : probe.expect_doc !== undefined
        ? own.length > 0
        : undefined;
  return {
    probe: probe._id,
    type: probe.type,
    found,
    stale: holds(probe.stale_text),
    forbidden: probe.forbid_doc !== undefined && own.length > 0,
    tookMs,
    why:
      own.length > 0
        ? 'the document is there, the text is not in one passage'
        : 'the document is not among the results',
  };
}

function squeeze(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
