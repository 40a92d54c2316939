import { EventInvalid, FreshetError, InvalidRequest, type RequestFault } from '../runtime/errors.ts';
import type { Problem } from '../schemas/problem.ts';

/**
 * What to tell of a failure: an abort says nothing by itself, the reason for which the caller's request was ended does. Undefined reasons and
 * those that are not ours, like a caller that has gone, leave the failure as it is.
 */
export function toldOf(thrown: unknown, gone: AbortSignal): unknown {
  const isOurs = gone.aborted && gone.reason instanceof FreshetError;
  return isOurs && !(thrown instanceof FreshetError) ? gone.reason : thrown;
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'The request is not of the expected form',
  401: 'Credentials are missing or not valid',
  403: 'Not allowed',
  404: 'Not found',
  405: 'Method not allowed',
  413: 'The request is too large',
  415: 'Media type not supported',
  422: 'The body is not an event that can be taken',
  429: 'Too much at once',
  500: 'Something failed inside',
  503: 'Not possible right now',
};

/**
 * The reply to an error. Messages of our own errors are written for callers; anything else stays inside, because a foreign message
 * may hold text of a document or of the request.
 */
export function toProblem(error: unknown, traceId: string): Problem {
  if (error instanceof FreshetError) {
    const faults = error instanceof InvalidRequest || error instanceof EventInvalid ? error.faults : [];
    const isInternal = error.status >= 500 && error.fate !== 'retry';
    return problem(error.status, error.code, traceId, isInternal ? undefined : error.message, faults);
  }
  const status = foreignStatus(error);
  return problem(status, FOREIGN_CODES[status] ?? 'FRESHET_UNCLASSIFIED', traceId);
}

const FOREIGN_CODES: Readonly<Record<number, string>> = {
  400: 'FRESHET_INVALID_REQUEST',
  404: 'FRESHET_NOT_FOUND',
  413: 'FRESHET_REQUEST_TOO_LARGE',
  415: 'FRESHET_MEDIA_TYPE_UNSUPPORTED',
  503: 'FRESHET_SHUTTING_DOWN',
};

/** Fastify's own refusals carry a status; everything else is a fault of ours. */
function foreignStatus(error: unknown): number {
  const status = (error as { statusCode?: unknown } | undefined)?.statusCode;
  if (typeof status !== 'number' || status < 400) return 500;
  return status in FOREIGN_CODES ? status : status < 500 ? 400 : 500;
}

function problem(
  status: number,
  code: string,
  traceId: string,
  detail?: string,
  faults: readonly RequestFault[] = [],
): Problem {
  return {
    type: `urn:freshet:error:${code}`,
    title: TITLES[status] ?? 'Error',
    status,
    code,
    ...(detail !== undefined && detail !== '' && { detail }),
    ...(faults.length > 0 && { errors: faults.map(({ pointer, detail: what }) => ({ pointer, detail: what })) }),
    traceId,
  };
}
