import { readFileSync } from 'node:fs';
import type { OperationsDeps, RouteGroup } from '../deps.ts';

const HTML = 'text/html; charset=utf-8';
const SCRIPT = 'text/javascript; charset=utf-8';
const STYLE = 'text/css; charset=utf-8';

const SCRIPTS =
  'answer-text api app ask compare docs dom feedback journey live passage preview refusal rows theme why'.split(' ');
const STYLES = ['ask', 'compare', 'reply', 'rows', 'stream', 'style'];

/** Files of the console and the API page, by address. All of it comes from here: no other host is ever asked. */
const FILES: Readonly<Record<string, { readonly file: string; readonly type: string }>> = {
  '/': { file: 'index.html', type: HTML },
  '/docs': { file: 'docs.html', type: HTML },
  ...Object.fromEntries(SCRIPTS.map((name) => [`/console/${name}.js`, { file: `${name}.js`, type: SCRIPT }])),
  ...Object.fromEntries(STYLES.map((name) => [`/console/${name}.css`, { file: `${name}.css`, type: STYLE }])),
};

/** Mounted by the demo alone; the console offers to change rows where it is there. */
const DEMO_ROUTE = '/demo/rows';

const FOLDER = new URL('../console/', import.meta.url);

/** Text of documents is shown in these pages; even if some of it were taken for markup, nothing of it may run or call out (S08). */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** The console at `/` and a page for the API at `/docs`. */
export const consoleRoutes: RouteGroup<OperationsDeps> = (app) => {
  for (const [url, { file, type }] of Object.entries(FILES)) {
    const content = readFileSync(new URL(file, FOLDER), 'utf8');
    app.get(url, { schema: { hide: true } }, async (_request, reply) =>
      reply
        .type(type)
        .headers({
          'content-security-policy': CONTENT_SECURITY_POLICY,
          'referrer-policy': 'no-referrer',
          'cache-control': 'no-cache',
        })
        .send(app.hasRoute({ method: 'GET', url: DEMO_ROUTE }) ? forDemo(content) : content),
    );
  }
};

function forDemo(page: string): string {
  return page.replace('<html lang="en">', '<html lang="en" data-demo>');
}
