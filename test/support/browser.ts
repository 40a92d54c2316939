import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

/** Where Debian, and others, put Chromium. */
const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

const FLAGS = [
  '--headless=new',
  '--no-sandbox', // root has no sandbox, and the pages are our own
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--no-first-run',
  '--hide-scrollbars',
  '--remote-debugging-pipe',
];

/** A condition that has not come true by then never will, ms. */
const WAIT_MS = 60_000;
const POLL_MS = 25;

/** The browser to test with: CHROMIUM, or where systems put it; undefined when there is none. */
export function findChromium(): string | undefined {
  return [process.env['CHROMIUM'], ...PLACES].find((path) => path !== undefined && existsSync(path));
}

export interface View {
  readonly width: number;
  readonly height: number;
  readonly dark?: boolean;
  readonly isPhone?: boolean;
}

/** A page as a visitor has it in front of him. */
export interface Page {
  /** What went wrong in it: uncaught errors, messages of level error, refusals of the content security policy. */
  readonly problems: string[];
  view(view: View): Promise<void>;
  open(url: string): Promise<void>;
  /** The value of an expression; a promise is awaited. */
  evaluate<T>(expression: string): Promise<T>;
  /** Resolves as soon as the expression is true. @throws Error that names it, when it never is. */
  until(expression: string): Promise<void>;
  click(selector: string): Promise<void>;
  /** Tab, Enter, Escape, ' ' or any other named key. */
  press(key: string): Promise<void>;
  type(text: string): Promise<void>;
  /** Puts other text into a field, as selecting all and typing does. */
  replace(selector: string, text: string): Promise<void>;
  /** Makes the server unreachable, or reachable again. */
  offline(isOffline: boolean): Promise<void>;
  screenshot(options?: { readonly whole?: boolean }): Promise<Buffer>;
}

/** A headless Chromium, spoken to over a pipe: no port, and no package that brings a protocol of its own. */
export interface Browser extends AsyncDisposable {
  page(view: View): Promise<Page>;
}

export async function openBrowser(executable: string): Promise<Browser> {
  const profile = await mkdtemp(join(tmpdir(), 'freshet-chromium-'));
  const child = spawn(executable, [...FLAGS, `--user-data-dir=${profile}`, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
  });
  const protocol = new Protocol(child);
  return {
    page: (view) => openPage(protocol, view),
    [Symbol.asyncDispose]: async () => {
      const ended = new Promise((resolve) => child.once('close', resolve));
      child.kill('SIGKILL');
      await ended;
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

type Params = Readonly<Record<string, unknown>>;
type Listener = (method: string, params: Record<string, unknown>) => void;

interface Message {
  readonly id?: number;
  readonly sessionId?: string;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

/** The DevTools protocol: JSON messages that end in a zero byte, commands to file 3, replies and events from file 4. */
class Protocol {
  readonly #to: Writable;
  readonly #waiting = new Map<number, (message: Message) => void>();
  readonly #listeners = new Map<string, Listener>();
  #lastId = 0;
  #rest = '';

  constructor(child: ChildProcess) {
    this.#to = child.stdio[3] as Writable;
    const from = child.stdio[4] as Readable;
    from.setEncoding('utf8');
    from.on('data', (piece: string) => this.#take(piece));
    const end = () => {
      for (const settle of this.#waiting.values()) settle({ error: { message: 'Chromium has ended' } });
      this.#waiting.clear();
    };
    child.once('close', end);
    child.once('error', end);
    this.#to.on('error', end);
  }

  listen(sessionId: string, listener: Listener): void {
    this.#listeners.set(sessionId, listener);
  }

  async send(method: string, params: Params = {}, sessionId?: string): Promise<Record<string, unknown>> {
    const id = ++this.#lastId;
    const reply = new Promise<Message>((resolve) => this.#waiting.set(id, resolve));
    this.#to.write(`${JSON.stringify({ id, method, params, ...(sessionId && { sessionId }) })}\0`);
    const { result, error } = await reply;
    if (error) throw new Error(`${method}: ${error.message}`);
    return result ?? {};
  }

  #take(piece: string): void {
    const texts = (this.#rest + piece).split('\0');
    this.#rest = texts.pop() ?? '';
    for (const text of texts) {
      const message = JSON.parse(text) as Message;
      if (message.id !== undefined) {
        this.#waiting.get(message.id)?.(message);
        this.#waiting.delete(message.id);
      } else this.#listeners.get(message.sessionId ?? '')?.(message.method ?? '', message.params ?? {});
    }
  }
}

/** What the keyboard sends; keys that stand for a character send it, too. */
const KEYS: Readonly<Record<string, { readonly code: string; readonly number: number; readonly text?: string }>> = {
  Tab: { code: 'Tab', number: 9 },
  Enter: { code: 'Enter', number: 13, text: '\r' },
  Escape: { code: 'Escape', number: 27 },
  ' ': { code: 'Space', number: 32, text: ' ' },
};

async function openPage(protocol: Protocol, first: View): Promise<Page> {
  const { targetId } = await protocol.send('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = await protocol.send('Target.attachToTarget', { targetId, flatten: true });
  const send = (method: string, params?: Params) => protocol.send(method, params, sessionId as string);
  const problems: string[] = [];
  protocol.listen(sessionId as string, (method, params) => problems.push(...problemOf(method, params)));
  for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await send(`${domain}.enable`);

  const page: Page = {
    problems,
    view: async ({ width, height, dark = false, isPhone = false }) => {
      await send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: isPhone });
      const features = [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }];
      await send('Emulation.setEmulatedMedia', { features });
    },
    open: async (url) => {
      await send('Page.navigate', { url });
      await page.until(`document.readyState === 'complete' && location.href !== 'about:blank'`);
    },
    evaluate: async <T>(expression: string) => {
      const reply = await send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
      const { result, exceptionDetails } = reply as {
        result: { value?: unknown };
        exceptionDetails?: { exception?: { description?: string } };
      };
      if (exceptionDetails) throw new Error(`${expression}: ${exceptionDetails.exception?.description ?? 'failed'}`);
      return result.value as T;
    },
    until: async (expression) => {
      for (let left = WAIT_MS; left > 0; left -= POLL_MS) {
        if (await page.evaluate<boolean>(`Boolean(${expression})`)) return;
        await sleep(POLL_MS);
      }
      throw new Error(`never came true: ${expression}\n${await page.evaluate<string>('document.body.innerText')}`);
    },
    click: async (selector) => {
      await page.until(`document.querySelector(${JSON.stringify(selector)})?.checkVisibility()`);
      await page.evaluate(`document.querySelector(${JSON.stringify(selector)}).click()`);
    },
    press: async (key) => {
      const { code, number, text } = KEYS[key] ?? { code: key, number: 0 };
      const event = { key, code, windowsVirtualKeyCode: number };
      await send('Input.dispatchKeyEvent', { ...event, type: text ? 'keyDown' : 'rawKeyDown', ...(text && { text }) });
      await send('Input.dispatchKeyEvent', { ...event, type: 'keyUp' });
    },
    type: async (text) => void (await send('Input.insertText', { text })),
    replace: async (selector, text) => {
      await page.until(`document.querySelector(${JSON.stringify(selector)})`);
      await page.evaluate(`document.querySelector(${JSON.stringify(selector)}).select()`);
      await page.type(text);
    },
    offline: async (isOffline) => {
      const speed = { latency: 0, downloadThroughput: -1, uploadThroughput: -1 };
      await send('Network.emulateNetworkConditions', { offline: isOffline, ...speed });
    },
    screenshot: async ({ whole = false } = {}) => {
      const { data } = await send('Page.captureScreenshot', { format: 'png', captureBeyondViewport: whole });
      return Buffer.from(data as string, 'base64');
    },
  };
  await page.view(first);
  return page;
}

function problemOf(method: string, params: Record<string, unknown>): string[] {
  if (method === 'Runtime.exceptionThrown') return [JSON.stringify(params['exceptionDetails'])];
  if (method === 'Runtime.consoleAPICalled' && params['type'] === 'error') return [JSON.stringify(params['args'])];
  if (method !== 'Log.entryAdded') return [];
  const entry = params['entry'] as { readonly level: string; readonly text: string; readonly url?: string };
  return entry.level === 'error' || entry.level === 'warning' ? [`${entry.text} ${entry.url ?? ''}`] : [];
}
