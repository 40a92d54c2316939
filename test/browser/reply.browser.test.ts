import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { findChromium, openBrowser, type Browser, type Page, type View } from '../support/browser.ts';
import { startDemo, type RunningDemo } from '../support/demo.ts';
import { pageFaults } from '../support/page-checks.ts';

const chromium = findChromium();

const DESKTOP: View = { width: 1280, height: 800 };
/** Narrower than any phone that is sold. */
const PHONE: View = { width: 360, height: 740, isPhone: true };

const RETURN = 'How many days do I have to return a bicycle?';
const UNKNOWN = 'Who painted the ceiling of the Sistine Chapel?';
const text = (id: string): string => `document.getElementById('${id}').textContent`;
const shown = (id: string): string => `document.getElementById('${id}').checkVisibility()`;
const active = 'document.activeElement';

let demo: RunningDemo;
let browser: Browser;
let page: Page;

async function ask(question: string): Promise<void> {
  await page.evaluate(`document.getElementById('question').focus()`);
  await page.replace('#question', question);
  await page.press('Enter');
  await page.until(`/^(Answered|Nothing)/.test(${text('status')}) && document.getElementById('stop').hidden`);
}

/** Tab until the focus is there, as somebody at the keyboard does. */
async function tabTo(condition: string): Promise<void> {
  for (let tabs = 0; tabs < 30 && !(await page.evaluate(`Boolean(${condition})`)); tabs++) await page.press('Tab');
  expect(await page.evaluate(`Boolean(${condition})`)).toBe(true);
}

/** Bodies of the requests to an address, from now on. */
async function watchRequests(): Promise<void> {
  await page.evaluate(`(() => {
    const real = window.fetch;
    window.sent = [];
    window.fetch = (path, options) => {
      if (options?.body) window.sent.push({ path, ...JSON.parse(options.body) });
      return real(path, options);
    };
  })()`);
}

async function expectSound(): Promise<void> {
  await page.until(`document.getAnimations().length === 0`);
  expect(await page.evaluate(pageFaults)).toEqual([]);
}

describe.skipIf(chromium === undefined)('an answer on the page', () => {
  beforeAll(async () => {
    demo = await startDemo();
    browser = await openBrowser(chromium ?? '');
  });
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await demo?.[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    page = await browser.page(DESKTOP);
    await page.open(`${demo.address}/`);
    await page.until(`document.querySelectorAll('#rows > li').length >= 4`);
  });
  afterEach(() => expect(page.problems).toEqual([]));

  test('a citation shows its words to the keyboard, opens them in their passage, and the way leads back', async () => {
    await ask(RETURN);
    await tabTo(`${active}.classList.contains('cite')`);
    expect(await page.evaluate(shown('preview'))).toBe(true);
    expect(await page.evaluate(text('preview'))).toMatch(/Returns.*days after delivery.*committed .* ago/);
    expect(await page.evaluate(`${active}.getAttribute('aria-describedby')`)).toBe('preview');
    await expectSound();
    await page.press('Escape');
    expect(await page.evaluate(shown('preview'))).toBe(false);
    await page.press('Enter');
    await page.until(`${active}.classList.contains('opened')`);
    const opened = `document.querySelector('.opened')`;
    expect(await page.evaluate(`${opened}.querySelector('mark').textContent`)).toContain('days after delivery');
    expect(await page.evaluate(`${opened}.querySelector('.origin').innerText`)).toMatch(
      /^shop\/.* · committed .* ago · indexed .* · version \d+$/,
    );
    await expectSound();
    await tabTo(`${active}.classList.contains('back')`);
    await page.press('Enter');
    expect(await page.evaluate(`${active}.classList.contains('cite') && !${opened}`)).toBe(true);
  });

  test('quoted words deep in a long passage are scrolled into sight', async () => {
    await ask(RETURN);
    await page.evaluate(`(() => {
      const text = document.querySelector('#passage-1 .text');
      text.prepend('a line before it\\n'.repeat(60));
    })()`);
    await page.click('#answer .cite');
    const inside = `(() => {
      const [mark, text] = ['mark', '.text'].map((one) => document.querySelector('.opened ' + one).getBoundingClientRect());
      return mark.top >= text.top && mark.top < text.bottom;
    })()`;
    await page.until(inside);
  });

  test('“Why this answer” shows the places of the passages, the sentences and the time', async () => {
    await ask(RETURN);
    await page.click('#why summary');
    expect(await page.evaluate(text('why-panel'))).toMatch(/one is quoted.*without a model/);
    const first = `document.querySelector('.why-list > li').textContent`;
    expect(await page.evaluate(first)).toMatch(/^1Returns1st by words.*quoted in the answer$/);
    expect(await page.evaluate(`document.querySelectorAll('.why-picture g.cited circle').length`)).toBeGreaterThan(1);
    expect(await page.evaluate(`document.querySelector('.why-sentences').textContent`)).toContain(
      'stands in its source',
    );
    expect(await page.evaluate(`document.querySelectorAll('.why-steps progress').length`)).toBe(4);
    await expectSound();
    await page.view({ ...PHONE, dark: true });
    await expectSound();
  });

  test('a refusal says who refused and offers the nearest passages and a longer look', async () => {
    await watchRequests();
    await ask(UNKNOWN);
    expect(await page.evaluate(text('answer'))).toContain('say too little of what was asked');
    expect(await page.evaluate(`document.querySelector('#why summary').textContent`)).toBe('Why no answer');
    await page.evaluate(`document.querySelector('.refusal button').click()`);
    expect(await page.evaluate(`document.getElementById('others').open && ${active}.textContent`)).toBe(
      'The nearest passages',
    );
    expect(await page.evaluate(`document.querySelector('#passages > li').checkVisibility()`)).toBe(true);
    await expectSound();
    await page.evaluate(`[...document.querySelectorAll('.refusal button')].at(-1).click()`);
    await page.until(`window.sent.some(({ k }) => k === 20)`);
    await page.until(`document.getElementById('stop').hidden && document.querySelector('#answer.refused')`);
    expect(await page.evaluate(`document.querySelectorAll('.refusal button').length`)).toBe(1);
  });

  test('a thumb rates the answer, and a comment follows it if one likes', async () => {
    await watchRequests();
    await ask(RETURN);
    await page.click('#rate-down');
    await page.until(shown('comment'));
    expect(await page.evaluate(`document.getElementById('rate-down').getAttribute('aria-pressed')`)).toBe('true');
    await expectSound();
    await page.replace('#comment-text', 'It was forty.');
    await page.click('#comment button');
    await page.until(`${text('thanks')}.includes('sent')`);
    const sent = await page.evaluate<object[]>(`window.sent.filter(({ path }) => path === '/v1/feedback')`);
    const traceId = expect.stringMatching(/^[0-9a-f]{32}$/) as string;
    expect(sent).toEqual([
      { path: '/v1/feedback', traceId, rating: 'down' },
      { path: '/v1/feedback', traceId, rating: 'down', comment: 'It was forty.' },
    ]);
    expect(await page.evaluate(`${active}.id`)).toBe('rate-down');
    const metrics = await (await fetch(`${demo.address}/metrics`)).text();
    expect(metrics).toContain(
      'freshet_feedback_total{rating="down",model="extractive",prompt="none",outcome="answered"} 1',
    );
    await ask(UNKNOWN);
    expect(await page.evaluate(`document.getElementById('rate-down').getAttribute('aria-pressed')`)).toBe('false');
  });

  test('two settings stand side by side with what differs in their sources', async () => {
    await watchRequests();
    await page.click('#compare summary');
    await page.replace('#compare-question', RETURN);
    await page.evaluate(`document.querySelector('fieldset[data-side="b"] [name=k]').value = '2'`);
    await page.click('#compare-form button');
    await page.until(`/^The answers/.test(${text('compare-status')})`);
    const asked = await page.evaluate<object[]>(`window.sent.filter(({ path }) => path === '/v1/answer')`);
    expect(asked).toEqual([
      { path: '/v1/answer', question: RETURN, stream: true, mode: 'hybrid', k: 8 },
      { path: '/v1/answer', question: RETURN, stream: true, mode: 'lexical', k: 2 },
    ]);
    const side = (name: string): string => `article[data-side="${name}"]`;
    for (const name of ['a', 'b'])
      expect(await page.evaluate(`document.querySelector('${side(name)} mark').textContent`)).toContain(
        'after delivery',
      );
    expect(await page.evaluate(`document.querySelectorAll('${side('a')} .alone').length`)).toBeGreaterThan(5);
    expect(await page.evaluate(`document.querySelector('#a-passage-1 .difference').textContent`)).toBe('same in B');
    await page.click(`${side('b')} .cite`);
    await page.until(`document.querySelector('#b-passage-1.opened')`);
    await expectSound();
    await page.view({ ...PHONE, dark: true });
    await expectSound();
  });
});
