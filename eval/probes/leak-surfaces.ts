/** One way to ask a server for what it holds. */
export interface SurfaceRequest {
  /** As findings name it; many requests share one. */
  readonly surface: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const MCP_HEADERS = { accept: 'application/json, text/event-stream' };

/**
 * Every request by which one canary could come out, of the public surface alone. None of them contains the canary's secret: whatever of
 * it stands in a reply, the server has put there.
 * @param lure a word of the canary's text that is not its secret. @param id of the canary's document.
 */
export function surfaceRequests(lure: string, id: string): readonly SurfaceRequest[] {
  const question = `What does the canary ${lure} say?`;
  const post = (surface: string, path: string, body: unknown, headers: Readonly<Record<string, string>> = {}) =>
    ({ surface, method: 'POST', path, body: JSON.stringify(body), headers }) as const;
  const tool = (surface: string, name: string, args: unknown) =>
    post(
      surface,
      '/mcp',
      { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: args } },
      MCP_HEADERS,
    );
  const chat = (stream: boolean) => ({ stream, messages: [{ role: 'user', content: question }] });
  const escaped = encodeURIComponent(id);
  return [
    ...(['hybrid', 'lexical', 'dense'] as const).map((mode) =>
      post(`search, ${mode}`, '/v1/search', { query: lure, mode, k: 100 }),
    ),
    post('search, filter', '/v1/search', { query: 'canary', filter: { lure }, k: 100 }),
    post('answer', '/v1/answer', { question }),
    post('answer, stream', '/v1/answer', { question, stream: true }),
    post('chat', '/v1/chat/completions', chat(false)),
    post('chat, stream', '/v1/chat/completions', chat(true)),
    tool('mcp, search', 'search', { query: lure, k: 100 }),
    tool('mcp, ask', 'ask', { question }),
    tool('mcp, explain', 'explain', { id }),
    tool('mcp, freshness', 'freshness', {}),
    { surface: 'document', method: 'GET', path: `/v1/documents/${escaped}` },
    { surface: 'explain', method: 'GET', path: `/v1/admin/explain/${escaped}` },
    { surface: 'freshness', method: 'GET', path: '/v1/freshness' },
    { surface: 'models', method: 'GET', path: '/v1/models' },
    { surface: 'metrics', method: 'GET', path: '/metrics' },
    post('error, bad filter', '/v1/search', { query: lure, filter: { lure: { gte: [] } } }),
    post('error, bad field', '/v1/answer', { question, document: id }),
    post('error, not there yet', '/v1/search', { query: lure, after: { [id]: '0/1' }, waitMs: 0 }),
  ];
}
