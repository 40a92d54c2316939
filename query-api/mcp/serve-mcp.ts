import {
  createMcpHandler,
  isLegacyRequest,
  McpServer,
  WebStandardStreamableHTTPServerTransport,
  type CallToolResult,
} from '@modelcontextprotocol/server';
import type { IncomingHttpHeaders } from 'node:http';
import { FreshetError } from '../../runtime/errors.ts';
import type { CallerDeps } from '../deps.ts';
import { toldOf, toProblem } from '../problem.ts';
import { problemText } from './model-text.ts';
import { standardSchema } from './standard-schema.ts';
import { TOOLS, type Tool, type ToolCall } from './tools.ts';

const INFO = { name: 'freshet', title: 'Freshet', version: '1' };
const INSTRUCTIONS =
  'An index of the organisation that follows its sources within about a second. Cite what you use by passage id, with its time of change. Say that you do not know rather than fill gaps that the passages leave.';

/** Compiled once: a server lives for one request. */
const tools = TOOLS.map((tool) => ({
  ...tool,
  inputSchema: standardSchema(tool.input),
  outputSchema: standardSchema(tool.output),
}));

/** A message of the protocol with the HTTP request that brought it. */
export interface McpRequest extends ToolCall {
  readonly headers: IncomingHttpHeaders;
  /** Parsed; of any form. */
  readonly message: unknown;
}

/**
 * Answers one message of the Model Context Protocol as JSON. Nothing is kept between messages, so any process may take any of them:
 * there are no sessions, no streams and no subscriptions. Takes the revisions that begin with `initialize` (to 2025-11-25) and those
 * whose every request says its revision (from 2026-07-28).
 */
export async function serveMcp(incoming: McpRequest, deps: CallerDeps): Promise<Response> {
  const { message, signals } = incoming;
  // The address is nobody's: the package reads method, headers and the parsed body.
  const request = new Request('http://freshet/mcp', {
    method: 'POST',
    headers: webHeaders(incoming.headers),
    signal: signals.left,
  });
  if (!(await isLegacyRequest(request, message)))
    return createMcpHandler(() => serverFor(incoming, deps), {
      legacy: 'reject',
      maxSubscriptions: 0,
    }).fetch(request, { parsedBody: message });
  const server = serverFor(incoming, deps);
  const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true });
  await server.connect(transport);
  try {
    return await transport.handleRequest(request, { parsedBody: message });
  } finally {
    await server.close();
  }
}

function serverFor(incoming: McpRequest, deps: CallerDeps): McpServer {
  const server = new McpServer(INFO, { instructions: INSTRUCTIONS, capabilities: { tools: { listChanged: false } } });
  for (const tool of tools) {
    const { name, title, description, inputSchema, outputSchema } = tool;
    server.registerTool(
      name,
      {
        title,
        description,
        inputSchema,
        outputSchema,
        annotations: { title, readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
      },
      async (input, { mcpReq }) => callTool(tool, input, incoming, mcpReq.signal, deps),
    );
  }
  return server;
}

/** A failed call is a result that says what to do, for the model; the protocol's own errors are for the program around it. */
async function callTool(
  tool: Tool,
  input: unknown,
  { principal, traceId, unit, signals }: ToolCall,
  cancelled: AbortSignal,
  deps: CallerDeps,
): Promise<CallToolResult> {
  const gone = AbortSignal.any([signals.gone, cancelled]);
  const left = AbortSignal.any([signals.left, cancelled]);
  try {
    const { content, text } = await tool.run(input, { principal, traceId, unit, signals: { gone, left } }, deps);
    return { content: [{ type: 'text', text }], structuredContent: { ...content } };
  } catch (thrown) {
    const error = toldOf(thrown, gone);
    const problem = toProblem(error, traceId);
    if (problem.status === 500 && !gone.aborted)
      deps.logger.error('A tool failed.', { error: thrown as Error, traceId, tool: tool.name });
    return { isError: true, content: [{ type: 'text', text: problemText(problem, retryAfter(error)) }] };
  }
}

/** A model that is told to wait a second waits; one that is told nothing gives up. */
const RETRY_SECONDS = 1;

function retryAfter(error: unknown): number | undefined {
  if (!(error instanceof FreshetError) || error.fate !== 'retry') return undefined;
  return error.retryAfterSeconds ?? RETRY_SECONDS;
}

function webHeaders(headers: IncomingHttpHeaders): Headers {
  const web = new Headers();
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined) web.set(name, Array.isArray(value) ? value.join(', ') : value);
  return web;
}
