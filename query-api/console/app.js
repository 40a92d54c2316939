// The console. Text of documents reaches the page through textContent only: nothing in it can become markup.

const byId = (id) => document.getElementById(id);
const form = byId('ask');
const answer = byId('answer');
const passages = byId('passages');
const FRESHNESS_EVERY_MS = 3_000;

let running;

form.addEventListener('submit', (event) => {
  event.preventDefault();
  void ask(byId('question').value.trim());
});
byId('question').addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    form.requestSubmit();
  }
});
byId('stop').addEventListener('click', () => running?.abort());
byId('identity').addEventListener('input', showWho);

/** Streams one answer. A question that is asked meanwhile ends the one before. */
async function ask(question) {
  if (question === '') return;
  running?.abort();
  const own = new AbortController();
  running = own;
  begin();
  const reply = { text: '', results: [], done: false };
  try {
    const response = await fetch('/v1/answer', {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...identity() },
      body: JSON.stringify({ question, stream: true }),
      signal: own.signal,
    });
    if (!response.ok) throw new Error(await problemText(response));
    for await (const { event, data } of events(response.body)) take(event, data, reply);
    if (!reply.done) throw new Error('The answer broke off.');
  } catch (error) {
    if (own.signal.aborted) answer.append(element('span', 'note', ' (stopped)'));
    else fail(error instanceof Error ? error.message : String(error));
  } finally {
    if (running === own) end();
  }
}

function take(event, data, reply) {
  if (event === 'retrieval') {
    reply.results = data.results;
    showPassages(data.results);
    showAsOf(data.asOf);
  } else if (event === 'token') {
    reply.text += data.text;
    showAnswer(reply.text, reply.results.length);
  } else if (event === 'citation') {
    markQuote(data);
  } else if (event === 'done') {
    reply.done = true;
    answer.classList.toggle('refused', data.refused);
    showAnswer(data.answer, reply.results.length);
  } else if (event === 'error') {
    throw new Error(`${data.title} [${data.code}]`);
  }
}

function begin() {
  byId('reply').hidden = false;
  byId('stop').hidden = false;
  answer.className = 'card busy';
  answer.textContent = '';
  passages.replaceChildren();
  byId('asof').textContent = '';
}

function end() {
  running = undefined;
  byId('stop').hidden = true;
  answer.classList.remove('busy');
}

function fail(message) {
  answer.classList.add('failed');
  answer.textContent = message;
}

/** The answer with its [n] as links to the passages. */
function showAnswer(text, count) {
  const parts = text.split(/\[(\d{1,3})\]/);
  answer.replaceChildren(
    ...parts.map((part, index) => {
      if (index % 2 === 0) return document.createTextNode(part);
      if (Number(part) < 1 || Number(part) > count) return document.createTextNode(`[${part}]`);
      const link = element('a', 'cite', part);
      link.href = `#passage-${part}`;
      link.title = `Passage ${part}`;
      return link;
    }),
  );
}

function showPassages(results) {
  passages.replaceChildren(
    ...results.map((result) => {
      const item = element('li');
      item.id = `passage-${result.rank}`;
      const head = element('div', 'head');
      head.append(
        element('span', 'number', String(result.rank)),
        element('span', 'title', result.title || result.documentId),
      );
      const origin = element('div', 'origin', `${result.documentId} · changed ${age(result.committedAt)}`);
      origin.title = `version ${result.version}, indexed ${new Date(result.indexedAt).toLocaleString()}`;
      item.append(head, element('div', 'text', result.text), origin);
      return item;
    }),
  );
}

/** Marks the quoted words in their passage. */
function markQuote({ marker, quote }) {
  const item = byId(`passage-${marker}`);
  const text = item?.querySelector('.text');
  if (!text) return;
  item.classList.add('cited');
  for (const node of text.childNodes) {
    const at = node.nodeType === Node.TEXT_NODE ? node.data.indexOf(quote) : -1;
    if (at === -1) continue;
    const quoted = node.splitText(at);
    quoted.splitText(quote.length);
    quoted.replaceWith(element('mark', '', quote));
    return;
  }
}

function showAsOf(asOf) {
  const sources = Object.entries(asOf).map(
    ([name, { position, committedAt }]) => `${name} ${position} (${age(committedAt)})`,
  );
  byId('asof').textContent = sources.length === 0 ? '' : `As of ${sources.join(' · ')}`;
}

async function refreshFreshness() {
  const box = byId('sources');
  try {
    const response = await fetch('/v1/freshness', { headers: identity() });
    if (!response.ok) throw new Error(await problemText(response));
    const { sources } = await response.json();
    box.replaceChildren(...Object.entries(sources).map(([name, source]) => sourceCard(name, source)));
  } catch (error) {
    box.replaceChildren(element('p', 'note', error instanceof Error ? error.message : String(error)));
  }
}

function sourceCard(name, source) {
  const card = element('article');
  const title = element('h3', '', name);
  const condition = source.connected === false ? 'bad' : source.position === undefined ? 'unknown' : '';
  title.prepend(element('span', `dot ${condition}`.trim()));
  const list = element('dl');
  const row = (term, value) => value !== undefined && list.append(element('dt', '', term), element('dd', '', value));
  row('state', source.state);
  row('position', source.position ?? 'none yet');
  row('as of', source.committedAt === undefined ? undefined : age(source.committedAt));
  row('behind', source.lagRecords === undefined ? undefined : `${source.lagRecords.toLocaleString()} records`);
  const { p50, p99 } = source.freshnessSeconds ?? {};
  row(
    'commit to searchable',
    p50 === undefined ? undefined : `${seconds(p50)}${p99 === undefined ? '' : `, p99 ${seconds(p99)}`}`,
  );
  row('documents', source.documents?.toLocaleString());
  row('reason', source.reason);
  card.append(title, list);
  return card;
}

/** Events of a stream, per the HTML standard's event stream format; comments are heartbeats. */
async function* events(body) {
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

async function problemText(response) {
  try {
    const { title, detail, code } = await response.json();
    return `${title}${detail ? `: ${detail}` : ''} [${code}]`;
  } catch {
    return `HTTP ${response.status}`;
  }
}

function identity() {
  const headers = {};
  const [tenant, groups, key] = ['tenant', 'groups', 'key'].map((id) => byId(id).value.trim());
  if (tenant) headers['x-freshet-tenant'] = tenant;
  if (groups) headers['x-freshet-groups'] = groups;
  if (key) headers['x-api-key'] = key;
  return headers;
}

function showWho() {
  const [tenant, groups, key] = ['tenant', 'groups', 'key'].map((id) => byId(id).value.trim());
  byId('who').textContent = key ? 'an API key' : `tenant ${tenant || 'default'}${groups ? `, ${groups}` : ''}`;
}

function age(at) {
  const s = Math.max(0, (Date.now() - at) / 1_000);
  if (s < 60) return `${Math.round(s)} s ago`;
  if (s < 3_600) return `${Math.round(s / 60)} min ago`;
  if (s < 86_400) return `${Math.round(s / 3_600)} h ago`;
  return new Date(at).toLocaleDateString();
}

function seconds(s) {
  return s < 1 ? `${Math.round(s * 1_000)} ms` : `${s.toFixed(1)} s`;
}

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

async function watchFreshness() {
  for (;;) {
    if (!document.hidden) await refreshFreshness();
    await new Promise((resolve) => setTimeout(resolve, FRESHNESS_EVERY_MS));
  }
}

showWho();
void watchFreshness();
const asked = new URLSearchParams(location.search).get('q');
if (asked) {
  byId('question').value = asked;
  void ask(asked);
}
