import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What a peer prints of one phase. */
export interface PeerPhase {
  readonly s: number;
  readonly cpu_s: number;
  readonly docs_s?: number;
  readonly embed_calls: number;
  readonly embed_texts: number;
  readonly embed_s: number;
  readonly loop_p50_ms?: number;
  readonly loop_p99_ms?: number;
  readonly loop_max_ms?: number;
}

/** The line that every peer prints, as far as it is read here; see the README of the peers. */
export interface PeerLine {
  readonly docs: number;
  readonly chunking: { readonly chunks: number; readonly mb_s: number };
  readonly ingest: PeerPhase & { readonly docs_s: number };
  readonly noop?: PeerPhase;
  readonly incr: PeerPhase;
  readonly rss_base_mb: number;
  readonly rss_peak_mb: number;
  readonly verify: { readonly stale: number; readonly missing: number };
  /** By phase; of our own seat only. */
  readonly phases?: Readonly<Record<string, { readonly stale: number; readonly missing: number }>>;
}

/** A peer that can be run here. */
export interface Peer {
  readonly name: string;
  readonly command: readonly string[];
}

/** The product itself. */
export const ownSeat: Peer = {
  name: 'freshet',
  command: [process.execPath, fileURLToPath(new URL('peer-seat.js', import.meta.url))],
};

/** Where `install.sh` of the peers has put them: PEERS_HOME. */
function peersHome(): string | undefined {
  return process.env['PEERS_HOME'];
}

/** Those that are installed. The ones that hold a goal, and no others: they are measured beside us in every round. */
export function installedPeers(): readonly Peer[] {
  const home = peersHome();
  if (home === undefined) return [];
  const inNode = (name: string): Peer => ({ name, command: [process.execPath, join(home, 'run_js.mjs'), name] });
  const python = join(home, 'venv-pathway', 'bin', 'python');
  return [
    ...(existsSync(join(home, 'js', 'node_modules', 'better-sqlite3')) ? [inNode('raw-sqlite')] : []),
    ...(existsSync(join(home, 'js', 'node_modules', '@langchain', 'community')) ? [inNode('langchainjs-memory')] : []),
    ...(existsSync(python) ? [{ name: 'pathway', command: [python, join(home, 'run_py.py'), 'pathway'] }] : []),
  ];
}

/** The corpus of the peers, where it was made. */
export function peersCorpus(): string | undefined {
  const folder = join(peersHome() ?? '', 'corpus-10k');
  return existsSync(join(folder, 'manifest.json')) ? folder : undefined;
}

/** @throws Error with what the peer said when it fails. */
export async function runPeer(
  { name, command }: Peer,
  corpus: string,
  options: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<PeerLine> {
  const [program = '', ...args] = command;
  const child = spawn(program, [...args, ...(name === ownSeat.name ? [...options, corpus] : [corpus, ...options])], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  let [out, errors] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-2_000)));
  const [code] = (await once(child, 'close')) as [number | null];
  const last = out.trim().split('\n').at(-1) ?? '';
  if (code !== 0 || !last.startsWith('{')) throw new Error(`${name} ended with ${code}: ${errors}`);
  return JSON.parse(last) as PeerLine;
}
