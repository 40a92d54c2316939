/* oxlint-disable no-console -- a script: what it prints is what it is for */
// Does what `docker build` and `docker run` do with deploy/Dockerfile, on a machine that has no container engine:
// `node deploy/check/dockerfile-steps.js`. Linux and root only.
//
// Each stage gets an overlay of this machine's own root in the place of its base image (so node is the one installed here), with the
// project's folder hidden, and its steps run in there by chroot. Then the entrypoint starts as process 1 of a PID namespace, as the
// user that the image names, without capabilities, on a root that is mounted read-only, and has to answer at /livez, pass the
// health check, be unable to write anywhere but to its volume and /tmp, and end with 0 at the image's stop signal.
import { spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { buildChecks, root, run } from './tool.js';

const INSIDE = '--in-namespace';
const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 30_000;
const POLL_MS = 100;

const [word, given] = process.argv.slice(2);
if (word === INSIDE) await main(given);
else process.exitCode = enterNamespace();

/** Runs this script again in a mount namespace of its own: its mounts are gone when it has ended, however it ended. */
function enterNamespace() {
  const scratch = mkdtempSync(join(tmpdir(), 'freshet-image-'));
  chmodSync(scratch, 0o755);
  try {
    const again = [process.execPath, import.meta.filename, INSIDE, scratch];
    const { status, stderr } = run('unshare', ['--mount', '--propagation', 'private', ...again], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    if (status === undefined) console.error(`${stderr}: this check needs Linux`);
    return status ?? 1;
  } finally {
    // Only here, where nothing is mounted: in the namespace this would go on into what is bound there.
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function main(scratch) {
  const checks = buildChecks();
  try {
    const stages = JSON.parse(succeed(checks.check('dockerfile', 'deploy/Dockerfile')));
    const files = succeed(checks.check('context', '.')).split('\n').filter(Boolean);
    const context = join(scratch, 'context');
    for (const file of files) cpSync(join(root, file), join(context, file), { recursive: true });
    const built = new Map();
    let image;
    for (const [index, stage] of stages.entries()) {
      image = build(stage, join(scratch, String(index)), context, built);
      built.set(stage.name || String(index), image);
    }
    await start(image, scratch);
  } catch (error) {
    console.error(`FAILED  ${error.message}`);
    process.exitCode = 1;
  } finally {
    checks.remove();
  }
}

/** Follows the steps of one stage and returns what an image remembers: its tree and its settings. */
function build(stage, folder, context, built) {
  const image = {
    tree: mountTree(folder),
    written: join(folder, 'upper'),
    env: {},
    workdir: '/',
    user: '0:0',
    signal: 'SIGTERM',
  };
  for (const step of stage.steps) {
    const since = performance.now();
    follow(step, image, context, built);
    const seconds = ((performance.now() - since) / 1000).toFixed(1);
    if (step.instruction === 'RUN' || step.instruction === 'COPY')
      console.log(`ok      ${step.instruction} ${step.shell ?? step.sources.join(' ')} (${seconds} s)`);
  }
  return image;
}

function follow(step, image, context, built) {
  switch (step.instruction) {
    case 'WORKDIR':
      image.workdir = resolve(image.workdir, step.path);
      mkdirSync(join(image.tree, image.workdir), { recursive: true });
      break;
    case 'ENV':
      for (const value of Object.values(step.values))
        if (/["'$\\]/.test(value)) throw new Error(`ENV with quotes or variables is not checked: ${value}`);
      Object.assign(image.env, step.values);
      break;
    case 'RUN':
      succeed(inside(image, ['/bin/sh', '-c', step.shell], ['ignore', 'pipe', 'pipe']));
      break;
    case 'COPY':
      copy(step, image, step.from ? built.get(step.from)?.tree : context);
      break;
    case 'USER':
      image.user = step.user;
      break;
    case 'VOLUME':
      image.volumes = step.sources;
      break;
    case 'STOPSIGNAL':
      image.signal = step.signal;
      break;
    case 'HEALTHCHECK':
      // The first word says in which form the rest is.
      if (step.command[0] !== 'CMD') throw new Error('HEALTHCHECK is checked in its exec form only');
      image.health = step.command.slice(1);
      break;
    case 'ENTRYPOINT':
      image.entrypoint = step.command;
      break;
    case 'CMD':
      image.command = step.command;
      break;
    case 'ARG':
    case 'LABEL':
    case 'EXPOSE':
      break;
    default:
      throw new Error(`${step.instruction} is not checked`);
  }
}

/** An overlay of this machine's root. What a build writes lands in `upper`; the project's folder is not to be seen. */
function mountTree(folder) {
  const [upper, work, tree] = ['upper', 'work', 'tree'].map((name) => join(folder, name));
  for (const path of [upper, work, tree]) mkdirSync(path, { recursive: true });
  succeed(run('mount', ['-t', 'overlay', 'overlay', '-o', `lowerdir=/,upperdir=${upper},workdir=${work}`, tree]));
  succeed(run('mount', ['--bind', '/proc', join(tree, 'proc')]));
  for (const path of [root, '/tmp', '/dev'])
    succeed(run('mount', ['-t', 'tmpfs', '-o', 'mode=1777', 'tmpfs', join(tree, path)]));
  for (const path of ['/dev/null', '/dev/zero', '/dev/full', '/dev/random', '/dev/urandom']) {
    writeFileSync(join(tree, path), '');
    succeed(run('mount', ['--bind', path, join(tree, path)]));
  }
  return tree;
}

/** COPY as the Dockerfile means it: of a folder its content, of a file itself. */
function copy({ sources, path, chown }, image, from) {
  if (!from) throw new Error(`COPY from a stage that there is not`);
  const target = join(image.tree, resolve(image.workdir, path));
  for (const source of sources) {
    const origin = join(from, source);
    if (!existsSync(origin)) throw new Error(`COPY ${source}: not in the context`);
    const isFolder = statSync(origin).isDirectory();
    const to = isFolder || !path.endsWith('/') ? target : join(target, basename(source));
    mkdirSync(isFolder ? to : dirname(to), { recursive: true });
    cpSync(origin, to, { recursive: true, verbatimSymlinks: true });
    succeed(run('chown', ['--recursive', '--no-dereference', chown ?? '0:0', to]));
  }
}

/** Runs a command in the tree of an image, as its user. */
function inside(image, command, stdio, extra = {}) {
  return run('chroot', [image.tree, ...asUser(image, extra), ...command], { stdio });
}

/** The part of a command line that takes user, capabilities, environment and folder from the image. */
function asUser({ user, env, workdir }, extra) {
  const [uid, gid] = user.split(':');
  const who = ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'];
  const confined = uid === '0' ? [] : ['--no-new-privs', '--bounding-set=-all', '--inh-caps=-all'];
  const { PATH, HOME } = process.env;
  const variables = Object.entries({ PATH, HOME: uid === '0' ? HOME : '/tmp', ...env, ...extra });
  const settings = variables.map(([key, value]) => `${key}=${value}`);
  return [...who, ...confined, 'env', '-i', `--chdir=${workdir}`, ...settings];
}

/** Starts the image as a container would be and asks what has to hold of it. */
async function start(image, scratch) {
  if (!/^[1-9]\d*:\d+$/.test(image.user))
    throw new Error(`the image's user is ${image.user}, not one that is not root, by number`);
  const size = run('du', ['--summarize', '--block-size=1M', join(image.written, 'app')]).stdout.split('\t')[0];
  const port = await freePort();
  mkdirSync(join(image.tree, 'etc/freshet'), { recursive: true });
  writeFileSync(join(image.tree, 'etc/freshet/freshet.yaml'), configOf(port));
  const volume = mountVolume(image, scratch);
  succeed(run('mount', ['-o', 'remount,ro', image.tree]));

  const extra = {
    FRESHET_HEALTH_URL: `http://127.0.0.1:${port}/livez`,
    CRM_SECRET: 'whsec_Y2hhbmdlLW1lLWNoYW5nZS1tZS1jaGFuZ2UtbWU=',
  };
  const [program, ...rest] = ['--pid', '--fork', '--kill-child', 'chroot', image.tree, ...asUser(image, extra)].concat(
    image.entrypoint,
    image.command,
  );
  const since = performance.now();
  const child = spawn('unshare', [program, ...rest], { stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (log += text));
  const exited = new Promise((done) => child.on('exit', (code) => done(code)));
  try {
    await until(READY_TIMEOUT_MS, 'the entrypoint does not answer at /livez', async () => {
      if (child.exitCode !== null) throw new Error(`the entrypoint ended with ${child.exitCode}`);
      return (await fetch(extra.FRESHET_HEALTH_URL).catch(() => undefined))?.ok;
    });
    const seconds = ((performance.now() - since) / 1000).toFixed(1);
    console.log(`ok      the entrypoint answers at /livez after ${seconds} s; /app is ${size} MB`);
    succeed(inside(image, image.health, ['ignore', 'pipe', 'pipe'], extra));
    console.log('ok      the health check passes');
    const first = firstProcess(child.pid);
    assertConfined(image, first, volume);
    process.kill(first, image.signal);
    const stopped = await Promise.race([exited, wait(STOP_TIMEOUT_MS)]);
    if (stopped !== 0) throw new Error(`${image.signal} ended process 1 with ${stopped ?? 'nothing: it runs on'}`);
    console.log(`ok      ${image.signal} ends it with 0`);
    if (inside(image, image.health, ['ignore', 'pipe', 'pipe'], extra).status === 0)
      throw new Error('the health check passes although nothing runs');
    console.log('ok      the health check fails once it has ended');
  } catch (error) {
    throw new Error(`${error.message}\n${log}`, { cause: error });
  } finally {
    child.kill('SIGKILL');
  }
}

/** The image's volume, as a new one is: with the owner that the image gave the folder. */
function mountVolume(image, scratch) {
  const [path, ...others] = image.volumes ?? [];
  if (!path || others.length > 0) throw new Error('the image has to have one volume');
  const folder = join(scratch, 'volume');
  mkdirSync(folder);
  const { uid, gid } = statSync(join(image.tree, path));
  chownSync(folder, uid, gid);
  succeed(run('mount', ['--bind', folder, join(image.tree, path)]));
  return path;
}

function assertConfined(image, pid, volume) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const [uid] = image.user.split(':');
  const line = (name) => new RegExp(`^${name}:\\s+(.*)$`, 'm').exec(status)?.[1];
  if (line('Uid') !== `${uid}\t${uid}\t${uid}\t${uid}`) throw new Error(`process 1 runs as ${line('Uid')}`);
  for (const name of ['CapPrm', 'CapEff', 'CapBnd'])
    if (!/^0+$/.test(line(name) ?? '')) throw new Error(`process 1 has capabilities: ${name} ${line(name)}`);
  if (line('NoNewPrivs') !== '1') throw new Error('process 1 may gain privileges');
  const touch = (path) => inside(image, ['touch', path], ['ignore', 'ignore', 'ignore']).status;
  for (const path of ['/app/x', '/app/dist/x', '/etc/freshet/x', '/x'])
    if (touch(path) === 0) throw new Error(`${path} can be written`);
  if (touch(`${volume}/x`) !== 0) throw new Error(`${volume} cannot be written`);
  console.log(`ok      process 1 is user ${uid} without capabilities; only ${volume} and /tmp can be written`);
}

/** The process that `unshare --fork` made: number 1 of its namespace. */
function firstProcess(pid) {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  return Number(children[0]);
}

/** The least that all roles start with: no database, the model that is in the image. */
function configOf(port) {
  const source = '{ name: crm, kind: webhook, signature: { scheme: standard-webhooks, secret: "${CRM_SECRET}" } }';
  return `server: { host: 127.0.0.1, port: ${port} }\nsources:\n  - ${source}\n`;
}

async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

async function until(limitMs, failure, condition) {
  const end = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(failure);
    await wait(POLL_MS);
  }
}

function wait(ms) {
  return new Promise((done) => setTimeout(done, ms));
}

/** What a command said. @throws Error with its words when it failed */
function succeed({ status, stdout, stderr }) {
  if (status !== 0) throw new Error(`${stderr}\n${stdout}`.trim().slice(-4_000));
  return stdout;
}
