import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { findChromium, openBrowser, type Browser, type Page, type View } from '../support/browser.ts';
import { startDemo, type RunningDemo } from '../support/demo.ts';
import { pageFaults } from '../support/page-checks.ts';

const chromium = findChromium();
if (chromium === undefined)
  process.stderr.write(
    'SKIPPED: the tests of the console need a Chromium, and none is installed. Debian: apt-get install chromium; or name one in CHROMIUM.\n',
  );

const DESKTOP: View = { width: 1280, height: 800 };
/** Narrower than any phone that is sold. */
const PHONE: View = { width: 360, height: 740, isPhone: true };

const RETURN = 'How many days do I have to return a bicycle?';
const answer = `document.getElementById('answer').textContent`;
const status = `document.getElementById('status').textContent`;
const journey = `document.getElementById('journey').textContent`;
const row = (title: string): string =>
  `[...document.querySelectorAll('#rows > li')].find((each) => each.textContent.includes(${JSON.stringify(title)}))`;

let demo: RunningDemo;
let browser: Browser;
let page: Page;

/** Asks as a visitor at the keyboard does. */
async function ask(question: string): Promise<void> {
  await page.evaluate(`document.getElementById('question').focus()`);
  await page.replace('#question', question);
  await page.press('Enter');
}

/** A change by somebody else, beside the page. */
async function beside(method: string, path: string, body?: object): Promise<{ row: { id: number } }> {
  const sent = body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const reply = await fetch(demo.address + path, { method, ...sent });
  expect(reply.status).toBe(200);
  return (await reply.json()) as { row: { id: number } };
}

async function expectSound(): Promise<void> {
  // What fades in or out has no colour of its own until it is done.
  await page.until(`document.getAnimations().length === 0`);
  expect(await page.evaluate(pageFaults)).toEqual([]);
}

describe.skipIf(chromium === undefined)('the console of the demo', () => {
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
  // A refusal of the content security policy is one of these, too.
  afterEach(() => expect(page.problems).toEqual([]));

  test('the checks of this file find what they look for', async () => {
    await page.evaluate(`(() => {
      const bad = document.createElement('section');
      bad.id = 'ask';
      bad.append(document.createElement('input'), document.createElement('button'), document.createElement('h6'));
      bad.append(Object.assign(document.createElement('p'), { textContent: 'hardly there' }));
      bad.lastChild.style.color = 'color-mix(in srgb, currentColor 30%, white)';
      bad.style.width = '200vw';
      document.querySelector('main').append(bad);
    })()`);
    const faults = await page.evaluate<string[]>(pageFaults);
    const found = ['without a label', 'nameless', 'with the id ask', 'skips a level', 'wider', 'hardly there'];
    for (const fault of found) expect(faults).toContainEqual(expect.stringContaining(fault));
    await page.evaluate(`document.body.setAttribute('style', 'color: red'); console.error('said by the page')`);
    const problems = page.problems.splice(0).join('\n');
    for (const problem of ['Content Security Policy', 'said by the page']) expect(problems).toContain(problem);
  });

  test('the first visit says what to do, and shows no answer that nobody asked for', async () => {
    expect(await page.evaluate(`document.getElementById('empty').checkVisibility()`)).toBe(true);
    expect(await page.evaluate(`document.getElementById('reply').checkVisibility()`)).toBe(false);
    await page.until(`document.getElementById('lag').textContent !== '–'`);
    await expectSound();
  });

  test('the keyboard alone asks: Tab to the question, Enter, and Tab to the source', async () => {
    for (let tabs = 0; tabs < 20 && (await page.evaluate('document.activeElement.id')) !== 'question'; tabs++) {
      await page.press('Tab');
      const isSeen = `getComputedStyle(document.activeElement).outlineStyle !== 'none'`;
      expect(await page.evaluate(isSeen)).toBe(true);
    }
    await page.type(RETURN);
    await page.press('Enter');
    await page.until(`${status}.startsWith('Answered')`);
    expect(await page.evaluate(answer)).toContain('days after delivery');
    expect(await page.evaluate(`document.getElementById('asof').textContent`)).toMatch(/^As of .*\(shop\)/);
    expect(await page.evaluate(`document.querySelector('#cited mark').textContent`)).toContain('days after delivery');
    await page.until(`document.querySelector('#answer .cite')`);
    await expectSound();
  });

  test('a changed row changes the answer, and shows how long its way took', async () => {
    await ask(RETURN);
    await page.until(`${answer}.includes('days after delivery')`);
    await page.evaluate(`${row('Returns')}.querySelector('button').click()`);
    await page.until(`document.activeElement.tagName === 'TEXTAREA' && document.activeElement.closest('.editing')`);
    await expectSound();
    await page.replace('.editing textarea', 'You can return a bicycle within 77 days after delivery.');
    await page.press('Enter');
    await page.until(`${answer}.includes('77 days')`);
    await page.until(`document.querySelector('#before del')?.textContent.includes('days after delivery')`);
    await page.until(`document.querySelector('[data-station=answer]').classList.contains('reached')`);
    const times = `[...document.querySelectorAll('#stations output')].map((each) => each.textContent)`;
    const [first, ...rest] = await page.evaluate<string[]>(times);
    expect(first).toBe('commit');
    for (const time of rest) expect(time).toMatch(/^[\d.]+ m?s$/);
    expect(await page.evaluate(journey)).toMatch(/searchable [\d.]+ m?s after the commit/);
    expect(await page.evaluate(`${row('Returns')}.textContent`)).toContain('update shop.articles');
    await expectSound();
  });

  test('an added row answers what was refused, and its deletion takes the answer away', async () => {
    await ask('Can I rent a bicycle?');
    await page.until(`document.querySelector('#answer.refused')`);
    expect(await page.evaluate(answer)).toContain('Add a row');
    expect(await page.evaluate(`document.getElementById('cited').childElementCount`)).toBe(0);
    await expectSound();
    await page.click('#add');
    await page.replace('.editing input', 'Rental');
    await page.replace('.editing textarea', 'You can rent a bicycle for 12 euros a day.');
    await page.press('Enter');
    await page.until(`${answer}.includes('12 euros')`);
    await page.evaluate(`${row('Rental')}.querySelector('button.danger').click()`);
    await page.until(`document.querySelector('#answer.refused')`);
    expect(await page.evaluate(journey)).toMatch(/gone from every answer [\d.]+ m?s after the commit/);
    expect(await page.evaluate(`document.activeElement.textContent`)).toBe('Put it back');
    await expectSound();
  });

  test('Escape leaves a row as it was', async () => {
    await page.evaluate(`${row('Warranty')}.querySelector('button').click()`);
    await page.replace('.editing textarea', 'nothing of this is kept');
    await page.press('Escape');
    await page.until(`!document.querySelector('.editing')`);
    expect(await page.evaluate(`${row('Warranty')}.textContent`)).toContain('five years');
    expect(await page.evaluate(`document.activeElement.textContent`)).toBe('Change');
  });

  test('a refused change says why in a sentence, beside the row', async () => {
    const { row: added } = await beside('POST', '/demo/rows', { title: 'Passing', body: 'Soon gone.' });
    await page.until(row('Passing'));
    await page.evaluate(`${row('Passing')}.querySelector('button').click()`);
    await page.until(`document.querySelector('.editing')`);
    await beside('DELETE', `/demo/rows/${added.id}`);
    await page.press('Enter');
    await page.until(`document.querySelector('.editing .outcome').textContent.includes('not in the table any more')`);
    await expectSound();
    expect(page.problems.splice(0)).toEqual([expect.stringContaining('404')]);
  });

  test('a question that is not taken is explained, and names no status number', async () => {
    await page.evaluate(`document.getElementById('question').removeAttribute('maxlength')`);
    await ask('x'.repeat(9_000));
    await page.until(`document.querySelector('#answer.failed')`);
    expect(await page.evaluate(answer)).toMatch(/^That could not be taken: question .*\.$/);
    expect(page.problems.splice(0)).toEqual([expect.stringContaining('400')]);
  });

  test('a server that is away is said at once, and the page goes on when it is back', async () => {
    await page.until(`document.getElementById('lag').textContent !== '–'`);
    await page.offline(true);
    await ask(RETURN);
    await page.until(`document.querySelector('#answer.failed') && !document.getElementById('alert').hidden`);
    expect(await page.evaluate(answer)).toContain('start it again there');
    await expectSound();
    await page.offline(false);
    await page.until(`document.getElementById('alert').hidden`);
    await ask(RETURN);
    await page.until(`${status}.startsWith('Answered')`);
    expect(page.problems.splice(0).filter((problem) => !problem.includes('ERR_INTERNET_DISCONNECTED'))).toEqual([]);
  });

  test('an index that is still filling says how far it is', async () => {
    await page.evaluate(`(() => {
      const real = window.fetch;
      window.fetch = async (path, options) => {
        const reply = await real(path, options);
        if (path !== '/v1/freshness') return reply;
        const value = await reply.json();
        value.coverage.dense = 0.42;
        value.sources.docs.lagRecords = 1234;
        return new Response(JSON.stringify(value));
      };
    })()`);
    await page.until(`document.getElementById('filling').textContent.includes('42 %')`);
    expect(await page.evaluate(`document.getElementById('filling').textContent`)).toContain('still on their way');
    await expectSound();
  });

  test('the theme is the system’s until it is chosen, and the choice is kept', async () => {
    const scheme = `getComputedStyle(document.documentElement).colorScheme + getComputedStyle(document.body).backgroundColor`;
    const light = await page.evaluate<string>(scheme);
    await page.view({ ...DESKTOP, dark: true });
    const dark = await page.evaluate<string>(scheme);
    expect(dark).not.toBe(light);
    await ask(RETURN);
    await page.until(`${status}.startsWith('Answered')`);
    await expectSound();
    await page.click('#theme');
    await page.open(`${demo.address}/`);
    await page.until(`document.documentElement.dataset.theme === 'light'`);
    expect(await page.evaluate(`getComputedStyle(document.documentElement).colorScheme`)).toBe('light');
    await page.evaluate('localStorage.clear()');
  });

  test('a phone shows all of it without scrolling sideways, and the new answer where the row is', async () => {
    await page.view(PHONE);
    await expectSound();
    await ask('Until when is the shop open on weekdays?');
    await page.until(`${answer}.includes('18:00')`);
    const bottom = `document.getElementById('answer').getBoundingClientRect().bottom`;
    await page.until(`${status}.startsWith('Answered') && ${bottom} <= innerHeight`);
    await expectSound();
    await page.evaluate(`${row('Opening hours')}.querySelector('button').click()`);
    await page.replace('.editing textarea', 'The bicycle shop is open from 9:00 to 20:00 on weekdays.');
    await expectSound();
    await page.press('Enter');
    await page.until(`document.querySelector('.echo')?.checkVisibility()`);
    expect(await page.evaluate(`document.querySelector('.echo').textContent`)).toContain('20:00');
    await page.evaluate(`document.querySelectorAll('details').forEach((each) => (each.open = true))`);
    await expectSound();
  });

  test('the page of the API is as sound, in both themes', async () => {
    for (const view of [DESKTOP, { ...PHONE, dark: true }]) {
      await page.view(view);
      await page.open(`${demo.address}/docs`);
      await page.until(`document.querySelector('.route')`);
      await expectSound();
    }
  });
});
