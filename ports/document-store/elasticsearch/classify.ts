import { errors } from '@elastic/elasticsearch';
import {
  DocumentTooLarge,
  FreshetError,
  InvalidConfig,
  StorageFailed,
  StoreUnavailable,
} from '../../../runtime/errors.ts';

/** What Elasticsearch says of itself in a reply that is an error. */
export interface ErrorBody {
  readonly type?: string;
  readonly reason?: string;
  readonly caused_by?: ErrorBody;
  readonly root_cause?: readonly ErrorBody[];
}

/** The store refused or timed out; when it said after how long to come back, this carries it. */
export class Pushback extends StoreUnavailable {
  override readonly retryAfterSeconds: number;

  constructor(message: string, retryAfterSeconds: number, options?: ErrorOptions) {
    super(message, options);
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** Index or cluster cannot be written to until an operator acts: the disk is full, the index was closed or made read-only. */
const BLOCKED = new Set(['cluster_block_exception', 'index_closed_exception']);
/** Blocks that pass by themselves: no master is elected, the state is not recovered. */
const PASSING_BLOCK = /no master|state not recovered/i;
const DISK_REMEDY =
  'The disk of Elasticsearch is full (flood-stage watermark) or the index was made read-only: free space; the block goes by itself, or ' +
  'remove the setting index.blocks.read_only_allow_delete.';
const LOST_REMEDY = 'The index is gone: restore it, or start again so that it is made anew and filled from the log.';

/** Gives whatever the client threw a class of ours. The signal's reason passes through when it has aborted. */
export function classifyFailure(error: unknown, signal?: AbortSignal): unknown {
  if (signal?.aborted) return signal.reason;
  if (error instanceof FreshetError) return error;
  if (error instanceof errors.ResponseError) {
    const body = (error.body as { error?: ErrorBody | string } | undefined)?.error;
    return classifyStatus(error.statusCode ?? 0, typeof body === 'string' ? { reason: body } : (body ?? {}), {
      cause: error,
      retryAfter: error.headers?.['retry-after'],
    });
  }
  if (error instanceof errors.ConfigurationError)
    return new InvalidConfig('The Elasticsearch client refused its options.', { cause: error });
  if (error instanceof errors.ProductNotSupportedError)
    return new InvalidConfig('What answers at the address of elasticsearch.nodes is not Elasticsearch.', {
      cause: error,
    });
  if (error instanceof errors.TimeoutError)
    return new StoreUnavailable('Elasticsearch did not answer in time.', { cause: error });
  return new StoreUnavailable('Elasticsearch cannot be reached.', { cause: error });
}

/** The class of an error reply, of a whole request or of one item of a bulk. */
export function classifyStatus(
  status: number,
  body: ErrorBody,
  options: { readonly cause?: unknown; readonly retryAfter?: unknown } = {},
): FreshetError {
  const { cause } = options;
  const type = body.type ?? `status ${status}`;
  if (status === 401)
    return new InvalidConfig('Elasticsearch does not know these credentials: check elasticsearch.auth.', { cause });
  if (BLOCKED.has(type) && !PASSING_BLOCK.test(body.reason ?? ''))
    return new StorageFailed(`Elasticsearch refuses writes (${type}). ${DISK_REMEDY}`, { cause });
  if (status === 403)
    return new InvalidConfig(
      `Elasticsearch refuses the user of elasticsearch.auth (${type}): it needs the privileges monitor, manage_index_templates, and all on the index.`,
      { cause },
    );
  if (type === 'index_not_found_exception') return new StorageFailed(LOST_REMEDY, { cause });
  if (status === 413) return new DocumentTooLarge('A document is larger than Elasticsearch takes.', { cause });
  if (status === 429 || status >= 500 || BLOCKED.has(type)) {
    const seconds = retryAfterSeconds(options.retryAfter);
    const message = `Elasticsearch is overloaded or not ready (${type}).`;
    return seconds === undefined ? new StoreUnavailable(message, { cause }) : new Pushback(message, seconds, { cause });
  }
  return new StorageFailed(`Elasticsearch refused a request (${type}).`, { cause });
}

function retryAfterSeconds(header: unknown): number | undefined {
  const seconds = typeof header === 'string' && /^\d{1,5}$/.test(header) ? Number(header) : undefined;
  return seconds;
}

/** Every `type` of an error and of its causes, outermost first. */
export function errorTypes(body: ErrorBody | undefined): string[] {
  if (!body) return [];
  return [
    ...(body.type ? [body.type] : []),
    ...(body.root_cause ?? []).flatMap(errorTypes),
    ...errorTypes(body.caused_by),
  ];
}
