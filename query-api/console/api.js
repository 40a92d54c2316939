// Calls to the server, and what to do when one fails, in a sentence.

import { byId } from './dom.js';

/** A failure as the page shows it: what happened and what to do. */
export class Trouble extends Error {
  constructor(message, code) {
    super(message);
    this.code = code;
  }
}

export const UNREACHABLE = 'UNREACHABLE';

const AGAIN = 'Try again in a moment.';
const ADVICE = {
  FRESHET_UNAUTHENTICATED: 'Open “Ask as” below the question and give an API key.',
  FRESHET_FORBIDDEN: 'Open this page on the machine that Freshet runs on, or ask as a member of that group.',
  FRESHET_NOT_FOUND: '',
  FRESHET_REQUEST_TOO_LARGE: 'Ask with fewer words.',
  FRESHET_NOT_FRESH_YET: 'Changes are still on their way; ask again in a moment.',
  FRESHET_EVIDENCE_WITHDRAWN: 'Ask again: the answer will do without it.',
};

export function identity() {
  const headers = {};
  const [tenant, groups, key] = ['tenant', 'groups', 'key'].map((id) => byId(id).value.trim());
  if (tenant) headers['x-freshet-tenant'] = tenant;
  if (groups) headers['x-freshet-groups'] = groups;
  if (key) headers['x-api-key'] = key;
  return headers;
}

/** @throws Trouble for everything that is not a good reply; the abort of `signal` as it is. */
export async function call(method, path, body, signal) {
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: { ...identity(), ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(signal && { signal }),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw unreachable();
  }
  if (!response.ok) throw await troubleOf(response);
  return response;
}

export function unreachable() {
  return new Trouble(
    'Freshet does not answer. Look into the terminal where it runs and start it again there; this page goes on by itself.',
    UNREACHABLE,
  );
}

/** A problem (RFC 9457) in a sentence. */
export function troubleFrom({ title, detail, code, status, errors = [] }) {
  const faults = errors.map(({ pointer, detail: what }) => `${pointer.slice(1) || 'the request'} ${what}`).join('; ');
  const what = faults ? `That could not be taken: ${faults}` : detail || title;
  const advice = ADVICE[code] ?? (status >= 500 || status === undefined ? AGAIN : '');
  return new Trouble(`${what.replace(/[.\s]*$/, '.')} ${advice}`.trim(), code);
}

async function troubleOf(response) {
  try {
    return troubleFrom(await response.json());
  } catch {
    return new Trouble(`The server answered with ${response.status}. ${AGAIN}`, `HTTP_${response.status}`);
  }
}

/** Events of a stream, per the HTML standard's event stream format; comments are heartbeats. */
export async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const event = /^event: (.*)$/m.exec(block)?.[1];
      const data = /^data: (.*)$/m.exec(block)?.[1];
      if (event !== undefined && data !== undefined) yield { event, data: JSON.parse(data) };
    }
  }
}
