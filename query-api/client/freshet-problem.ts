/** What is wrong with one part of a request. */
export interface RequestFault {
  /** RFC 6901, such as `/k`. */
  readonly pointer: string;
  readonly detail: string;
}

/** What a refusal is made of; all but `code` and `title` may be missing. */
export interface ProblemParts {
  readonly code: string;
  readonly title: string;
  readonly status?: number | undefined;
  readonly detail?: string | undefined;
  readonly errors?: readonly RequestFault[] | undefined;
  readonly traceId?: string | undefined;
  readonly retryAfterSeconds?: number | undefined;
}

/** Code of a reply that is neither what was asked for nor a problem of the server: a proxy's page, a server of another kind. */
export const NOT_A_PROBLEM = 'CLIENT_UNEXPECTED_REPLY';

/** Code of a streamed answer that ended before it was done: a connection that was cut. */
export const STREAM_CUT = 'CLIENT_STREAM_CUT';

/**
 * The server refused, or could not finish an answer. Branch on `code`, which is stable: those of the server are listed in docs/ERRORS.md.
 * What keeps a request from arriving at all is the error that `fetch` throws.
 */
export class FreshetProblem extends Error {
  override readonly name = 'FreshetProblem';
  readonly code: string;
  /** Of HTTP; undefined for what went wrong in the middle of a stream. */
  readonly status: number | undefined;
  readonly detail: string | undefined;
  /** Everything that is wrong with the request. */
  readonly errors: readonly RequestFault[];
  /** Names the request in the server's log. */
  readonly traceId: string | undefined;
  /** When it makes sense to try again, seconds. */
  readonly retryAfterSeconds: number | undefined;

  constructor({ code, title, status, detail, errors = [], traceId, retryAfterSeconds }: ProblemParts) {
    const faults = errors.map((fault) => `${fault.pointer} ${fault.detail}`);
    super(`${[title, detail, ...faults].filter((part) => part !== undefined && part !== '').join(': ')} [${code}]`);
    this.code = code;
    this.status = status;
    this.detail = detail;
    this.errors = errors;
    this.traceId = traceId;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** The problem that a reply with a bad status is. */
export async function problemOf(reply: Response): Promise<FreshetProblem> {
  const retryAfter = Number(reply.headers.get('retry-after') ?? Number.NaN);
  const shared = { status: reply.status, ...(Number.isFinite(retryAfter) && { retryAfterSeconds: retryAfter }) };
  const body: unknown = await reply.json().catch(() => undefined);
  if (isProblem(body)) return new FreshetProblem({ ...body, ...shared });
  return new FreshetProblem({ code: NOT_A_PROBLEM, title: `The server replied with HTTP ${reply.status}`, ...shared });
}

function isProblem(body: unknown): body is ProblemParts {
  const { code, title } = (typeof body === 'object' && body !== null ? body : {}) as Partial<ProblemParts>;
  return typeof code === 'string' && typeof title === 'string';
}
