/** A request with a JSON body, or with lines of JSON when it is a text or bytes. @throws Error with the reply when it is refused. */
export async function ask<T>(url: string, body?: unknown, method = body === undefined ? 'GET' : 'POST'): Promise<T> {
  const isLines = typeof body === 'string' || body instanceof Uint8Array;
  const reply = await fetch(url, {
    method,
    headers: { 'content-type': isLines ? 'application/x-ndjson' : 'application/json' },
    ...(body !== undefined && { body: isLines ? body : JSON.stringify(body) }),
  });
  if (!reply.ok) throw new Error(`${method} ${url}: ${reply.status} ${(await reply.text()).slice(0, 500)}`);
  return (await reply.json()) as T;
}
