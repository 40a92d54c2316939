// The table of the demo: its rows are changed by SQL, and the page follows each change to the answer.

import { askAgain } from './ask.js';
import { call } from './api.js';
import { button, byId, element, field, isDemo, millis, submitOnEnter } from './dom.js';
import { answered, arrive, depart } from './journey.js';

const list = byId('rows');
let table = { source: '', table: '', rows: [] };
/** Key of the row whose form is open; 'new' for one that is being added. */
let open;

export async function startEditing() {
  if (!isDemo) return;
  byId('add').addEventListener('click', () => edit('new'));
  await refreshRows();
}

/** Takes over what others have changed in the table, unless the visitor is at it. */
export async function refreshRows() {
  if (!isDemo || open !== undefined) return;
  const latest = await (await call('GET', '/demo/rows')).json();
  if (open !== undefined || JSON.stringify(latest.rows) === JSON.stringify(table.rows)) return;
  table = latest;
  render();
}

/** A button that opens the row behind a document; undefined when it is of another table. */
export function editButton(documentId) {
  const prefix = `${table.source}/${table.table}/`;
  if (!isDemo || !documentId.startsWith(prefix)) return undefined;
  const id = Number(documentId.slice(prefix.length));
  return button('Change this row', 'quiet small', () => edit(id));
}

function render() {
  list.replaceChildren(...table.rows.map((row) => (open === row.id ? form(row) : card(row))));
  if (open === 'new') list.append(form({ id: 'new', title: '', body: '' }));
  byId('add').hidden = open === 'new';
}

function card(row) {
  const item = element('li', 'card');
  item.dataset.row = row.id;
  const head = element('div', 'head');
  head.append(element('b', '', row.title));
  head.append(
    button('Change', 'quiet small', () => edit(row.id), `Change ${row.title}`),
    button('Delete', 'quiet small danger', () => void remove(row), `Delete ${row.title}`),
  );
  item.append(head, element('p', 'body', row.body), element('p', 'outcome'));
  return item;
}

function form(row) {
  const item = element('li', 'card editing');
  item.dataset.row = row.id;
  const made = element('form');
  const title = field('Title', 'input', row.title);
  const body = field('Text', 'textarea', row.body);
  title.input.maxLength = 200;
  body.input.maxLength = 4_000;
  body.input.rows = 3;
  submitOnEnter(body.input);
  const save = element('button', '', row.id === 'new' ? 'Add it' : 'Save');
  const actions = element('div', 'actions');
  actions.append(
    save,
    button('Cancel', 'quiet', () => close(row.id)),
    element('span', 'note keys', 'Enter saves, Escape cancels'),
  );
  made.append(title.made, body.made, actions, element('p', 'outcome'));
  made.addEventListener('keydown', (event) => event.key === 'Escape' && close(row.id));
  made.addEventListener('submit', (event) => {
    event.preventDefault();
    save.disabled = true;
    void store(row, { title: title.input.value.trim(), body: body.input.value.trim() }).finally(
      () => (save.disabled = false),
    );
  });
  item.append(made);
  return item;
}

function edit(id) {
  open = id;
  render();
  const input = list.querySelector(id === 'new' ? '.editing input' : '.editing textarea');
  input?.focus();
  input?.scrollIntoView({ block: 'nearest' });
}

function close(id) {
  open = undefined;
  render();
  focusRow(id);
}

function focusRow(id) {
  (list.querySelector(`[data-row="${id}"] button`) ?? byId('add')).focus();
}

async function store(row, content) {
  const isNew = row.id === 'new';
  const what = `“${content.title}”`;
  const reply = await send(
    what,
    row.id,
    isNew ? 'POST' : 'PUT',
    isNew ? '/demo/rows' : `/demo/rows/${row.id}`,
    content,
  );
  if (!reply) return;
  byId('removed').hidden = true;
  const stored = reply.row;
  table.rows = isNew ? [...table.rows, stored] : table.rows.map((each) => (each.id === row.id ? stored : each));
  close(stored.id);
  say(stored.id, isNew ? 'Added' : 'Saved', reply);
  echo(outcomeOf(stored.id), await follow(what, reply, 'searchable'));
}

async function remove(row) {
  const what = `“${row.title}”`;
  const reply = await send(what, row.id, 'DELETE', `/demo/rows/${row.id}`);
  if (!reply) return;
  table.rows = table.rows.filter(({ id }) => id !== row.id);
  render();
  const again = button('Put it back', 'quiet small', () => {
    byId('removed').hidden = true;
    void store({ id: 'new' }, { title: row.title, body: row.body });
  });
  byId('removed').replaceChildren(element('span', '', `“${row.title}” is deleted${soon(reply)}.`), again);
  byId('removed').hidden = false;
  again.focus();
  echo(byId('removed'), await follow(what, reply, 'gone from every answer'));
}

/** Sends a change and tells of its failure beside the row. */
async function send(what, id, method, path, content) {
  depart(what);
  try {
    return await (await call(method, path, content)).json();
  } catch (error) {
    const outcome = outcomeOf(id);
    if (outcome) {
      outcome.textContent = error.message;
      outcome.classList.add('failed');
    }
    byId('journey').textContent = 'Nothing was changed.';
    return undefined;
  }
}

async function follow(what, { journey, position }, outcome) {
  void arrive(what, journey, outcome);
  const again = await askAgain({ [table.source]: position });
  answered(journey, again?.at);
  return again?.text;
}

/** Where the columns stand below one another, the answer is out of sight: it is repeated where the eyes are. */
function echo(beside, text) {
  if (text === undefined || !beside?.isConnected) return;
  const link = element('a', '', 'See it');
  link.href = '#reply';
  const made = element('span', 'echo');
  made.append('The answer is now: ', element('q', '', text), ' ', link);
  beside.append(made);
}

const outcomeOf = (id) => list.querySelector(`[data-row="${id}"] .outcome`);

const soon = ({ journey }) =>
  journey?.committedAt
    ? `, and gone from every answer ${millis(journey.searchableAt - journey.committedAt)} later`
    : '';

function say(id, verb, { journey, sql }) {
  const outcome = outcomeOf(id);
  if (!outcome) return;
  const time = journey?.committedAt
    ? `searchable ${millis(journey.searchableAt - journey.committedAt)} after the commit`
    : 'still on its way to the index';
  outcome.append(`${verb}, ${time}. It was plain SQL: `, element('code', '', sql));
}
