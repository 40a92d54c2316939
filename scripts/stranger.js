// Goes the way of someone who has never seen Freshet: clones it, runs the commands of README.md and docs/QUICKSTART.md as they stand,
// against a PostgreSQL of its own, and takes the wrong turns that people take. Needs git and npm's packages, nothing else.
//
// A block is what its fence says: `sh` runs in bash and has to succeed, `sh leave-running` stays up, `sql` runs as the owner of the
// tables, `yaml <file>`, `ts <file>` and `js <file>` are written. `<!-- prints: words -->` before a block is what it has to print.
// The only liberty taken: where a port of the guide is taken on this machine, another one stands for it, and is said.
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile, chmod } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const GUIDE_PORTS = { postgres: 5432, api: 8080 };
const COMMAND_LIMIT_MS = 300_000;
/** What the guide calls the password of the owner of the tables. */
const OWNER_PASSWORD = 'secret';

const work = await mkdtemp(join(tmpdir(), 'freshet-stranger-'));
await chmod(work, 0o755); // PostgreSQL may run as another user, who has to enter
const home = join(work, 'freshet');
const leaving = [];
let environment = { ...process.env, NO_COLOR: '1' };
delete environment.FRESHET_DATA_DIR;
const ports = { postgres: await portFor('postgres'), api: await portFor('api') };
let failed = 0;

try {
  await walk();
} catch (error) {
  failed++;
  console.error(`FAILED: ${error.message}`);
} finally {
  for (const leave of leaving.toReversed()) await leave();
  await rm(work, { recursive: true, force: true });
}
process.exit(failed === 0 ? 0 : 1);

async function walk() {
  await sh(`git clone --quiet ${JSON.stringify(root)} ${JSON.stringify(home)}`, work);
  const [first, ...rest] = await blocks('README.md');
  if (first?.info !== 'sh' || !first.text.startsWith('npm ci'))
    throw new Error('the README does not begin with npm ci');
  for (const line of first.text.trim().split('\n')) {
    if (line === 'npm start') await demo(line);
    else await sh(line);
  }
  // Its other commands are for contributors: CI runs the tests by themselves.
  console.log(`the README has ${rest.length} more blocks, which are run elsewhere`);

  const owner = await postgres('logical', ports.postgres);
  await follow(await blocks('docs/QUICKSTART.md'), owner);
  await wrongTurns(owner);
  console.log('the stranger has arrived');
}

/** Runs the guide block by block. */
async function follow(guide, owner) {
  for (const { info, text, line, prints } of guide) {
    const [language, word] = info.split(' ');
    console.log(`==> line ${line}: ${info}`);
    if (word === 'leave-running') await stayUp(text);
    else if (language === 'sh') must(await sh(text), prints);
    else if (language === 'sql') await owner.query(text);
    else if (word) await writeFile(join(home, word), text);
    else throw new Error(`docs/QUICKSTART.md, line ${line}: nobody knows what to do with a block of ${info}`);
  }
}

/** What people do wrong. Each has to end in a sentence that says what is wrong and what to do, from `check` and from `start`. */
async function wrongTurns(owner) {
  await owner.query('create table keyless (id int, title text, body text); grant select on keyless to freshet');
  const replica = await postgres('replica');
  await replica.query('create table articles (id int primary key, title text, summary text, body text, category text)');
  await replica.query("create role freshet login replication password 'water'; grant select on articles to freshet");
  const config = await readFile(join(home, 'freshet.yaml'), 'utf8');
  const url = environment.HELPDESK_URL;
  const elsewhere = (port) => `server: { port: ${port} }\n${config.replace(/^server:.*\n/m, '')}`;
  const free = elsewhere(await freePort());
  const taken = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  const turns = [
    {
      name: 'the port is taken',
      config: elsewhere(taken.address().port),
      says: /is taken by another program[\s\S]*set server\.host and server\.port/,
    },
    {
      name: 'the password is wrong',
      config: free,
      url: url.replace('water', 'wine'),
      says: /password authentication failed/,
      mend: /Check `connection` of source helpdesk/,
    },
    {
      name: 'wal_level is not logical',
      config: free,
      url: url.replace(/localhost:\d+/, `localhost:${replica.port}`),
      says: /wal_level is replica[\s\S]*ALTER SYSTEM SET wal_level = 'logical'/,
    },
    {
      name: 'the table has no key',
      config: free
        .replace('public.articles', 'public.keyless')
        .replace('[summary, body]', 'body')
        .replace(/ +metadata.*\n/, ''),
      says: /has no primary key[\s\S]*ADD PRIMARY KEY/,
    },
  ];
  const right = environment;
  for (const { name, config: text, url: other = url, says, mend = says } of turns) {
    console.log(`==> wrong turn: ${name}`);
    environment = { ...right, HELPDESK_URL: other, FRESHET_DATA_DIR: await mkdtemp(join(work, 'turn-')) };
    await writeFile(join(home, 'freshet.yaml'), text);
    const checked = await sh('npx freshet check', home, 1);
    if (!says.test(checked) || !mend.test(checked))
      throw new Error(`check does not say what to do when ${name}:\n${checked}`);
    // It stays up where a source is at fault, so that the others go on; its log says what to mend.
    const started = await until('npx freshet start --until-caught-up', says);
    if (started.includes('    at ')) throw new Error(`start prints a stack when ${name}:\n${started}`);
  }
  environment = right;
  taken.close();
}

/** The demo, until it invites to go on; then Ctrl-C. */
async function demo(command) {
  const said = await until(command, /Ctrl-C stops it/);
  must(said, ['Freshet is ready at', '[1]']);
}

/** Starts what stays up until the end of the way. */
async function stayUp(command) {
  const child = run(command, home);
  leaving.push(() => child.stop());
  await child.says(/Freshet listens at/);
  for (let tries = 0; tries < 600; tries++) {
    const ready = await fetch(`http://127.0.0.1:${ports.api}/v1/freshness`).then(
      (reply) => reply.json(),
      () => undefined,
    );
    if (ready?.sources?.helpdesk?.documents > 0) return;
    await sleep(100);
  }
  throw new Error('the table was not read within a minute');
}

/** Runs a command until it has said something, and stops it as Ctrl-C does. Gives all that it said. */
async function until(command, pattern) {
  const child = run(command, home);
  try {
    await child.says(pattern);
  } finally {
    await child.stop();
  }
  return child.said();
}

/** Runs commands in bash to their end; what they export is there for those that follow. @throws Error for another exit code. */
async function sh(text, cwd = home, expected = 0) {
  for (const line of text.trim().split('\n')) console.log(`$ ${line}`);
  const exported = join(work, 'environment');
  const child = run(`set -e\n${text}\nenv -0 > ${JSON.stringify(exported)}`, cwd);
  const code = await child.ended;
  if (code !== expected) throw new Error(`exit code ${code} instead of ${expected}:\n${text}\n${child.said()}`);
  if (code === 0 && cwd === home) environment = await variables(exported);
  return child.said();
}

async function variables(file) {
  const pairs = (await readFile(file, 'utf8')).split('\0').filter((pair) => pair.includes('='));
  return Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
}

/** A process group of its own, so that a stop reaches what npm and npx have started. */
function run(command, cwd) {
  const child = spawn('bash', ['-c', withPorts(command)], {
    cwd,
    env: environment,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  let look = () => undefined;
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (piece) => {
      said += piece;
      look();
    });
  const signal = (name) => {
    try {
      process.kill(-child.pid, name);
    } catch {
      return; // it has ended
    }
  };
  const limit = setTimeout(() => signal('SIGKILL'), COMMAND_LIMIT_MS);
  const ended = new Promise((resolve) => child.once('close', resolve)).finally(() => clearTimeout(limit));
  return {
    ended,
    said: () => said,
    says: (pattern) =>
      new Promise((found, lost) => {
        look = () => pattern.test(said) && found();
        look();
        void ended.then(() =>
          pattern.test(said) ? found() : lost(new Error(`${command} ended before it said ${pattern}:\n${said}`)),
        );
      }),
    stop: async () => {
      signal('SIGINT');
      await ended;
    },
  };
}

/** Blocks of a page in their order, but those of `text`, pictures and examples of JSON: these are to be read. */
async function blocks(page) {
  const text = await readFile(join(home, page), 'utf8');
  const found = [];
  for (const match of text.matchAll(/^((?:<!-- prints: .* -->\n)*)\n?```(\S[^\n]*)\n([\s\S]*?)^```$/gm)) {
    const [, comments = '', info = '', body = ''] = match;
    if (/^(text|mermaid|json)$/.test(info) || info === 'yaml') continue;
    const prints = [...comments.matchAll(/<!-- prints: (.*) -->/g)].map(([, words]) => words);
    const line = text.slice(0, match.index).split('\n').length;
    const isCode = /^(sh|sql)/.test(info);
    found.push({ info, prints, line, text: isCode ? body : withPorts(body, info) });
  }
  return found;
}

/** The text with the ports of this machine in the place of the guide's. */
function withPorts(text, info = '') {
  let own = text.replaceAll(`localhost:${GUIDE_PORTS.postgres}`, `localhost:${ports.postgres}`);
  own = own.replaceAll(`127.0.0.1:${GUIDE_PORTS.api}`, `127.0.0.1:${ports.api}`);
  return info.startsWith('yaml') && ports.api !== GUIDE_PORTS.api ? `server: { port: ${ports.api} }\n${own}` : own;
}

function must(said, prints) {
  process.stdout.write(said.replace(/^/gm, '  ').trimEnd() + '\n');
  for (const words of prints)
    if (!said.includes(words)) throw new Error(`it does not print ${JSON.stringify(words)}:\n${said}`);
}

/** A PostgreSQL with an empty database `helpdesk`, as the guide takes for granted, from the binaries that npm has installed. */
async function postgres(walLevel, port = 0) {
  const load = (path) => import(pathToFileURL(join(home, path)).href);
  const { startEmbeddedPostgres } = await load('dist/cli/demo/embedded-postgres.js');
  const { default: pg } = await load('node_modules/pg/lib/index.js');
  const server = await startEmbeddedPostgres({
    dataDir: join(work, `postgres-${walLevel}`),
    port,
    unsafeFast: true,
    settings: { wal_level: walLevel },
  });
  leaving.push(() => server.stop());
  const connect = async (database, password) => {
    const url = new URL(server.url);
    url.pathname = `/${database}`;
    if (password) url.password = password;
    const client = new pg.Client({ connectionString: url.href });
    client.on('error', () => undefined); // ends with its server
    await client.connect();
    return client;
  };
  const first = await connect('postgres');
  await first.query(`alter role postgres password '${OWNER_PASSWORD}'`);
  await first.query('create database helpdesk');
  await first.end();
  const client = await connect('helpdesk', OWNER_PASSWORD);
  leaving.push(() => client.end());
  return { port: server.port, query: (sql) => client.query(sql) };
}

async function portFor(name) {
  const wanted = GUIDE_PORTS[name];
  const found = (await isFree(wanted)) ? wanted : await freePort();
  if (found !== wanted) console.log(`port ${wanted} is taken on this machine: ${found} stands for it`);
  return found;
}

function isFree(port) {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

function freePort() {
  const server = createServer();
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
