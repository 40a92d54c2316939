import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Figures, load, type Goal, type Scenario } from '../measure.ts';
import { makeCorpus } from './made-corpus.ts';
import { readPeerCorpus } from './peer-corpus.ts';
import { installedPeers, ownSeat, peersCorpus, runPeer, type PeerLine } from './peers.ts';

const QUICK_DOCUMENTS = 500;

/** By peer, what our documents per second must be of theirs. */
const INGEST_GOALS: Readonly<Record<string, number>> = { pathway: 1, 'raw-sqlite': 0.7, 'langchainjs-memory': 1.8 };
/** By peer, what the pass over the whole next state may take of theirs. */
const SNAPSHOT_GOALS: Readonly<Record<string, number>> = { 'langchainjs-memory': 0.05 };

export const ingest: Scenario = {
  name: 'ingest',
  question:
    'What does it cost to take 10,000 documents in, and the changes of the next day, beside peers? (the embedder of the peers)',
  async run({ rounds, quick, say }) {
    const figures = new Figures();
    const peers = installedPeers();
    const folder = await mkdtemp(join(tmpdir(), 'freshet-bench-'));
    try {
      const corpus = peersCorpus() ?? join(folder, 'corpus');
      if (peersCorpus() === undefined) makeCorpus(corpus, 10_000);
      const { changes } = readPeerCorpus(corpus, quick ? QUICK_DOCUMENTS : undefined);
      const changed = changes.filter(({ op }) => op === 'u').length;
      const limited = quick ? ['--limit', String(QUICK_DOCUMENTS)] : [];
      for (let round = 0; round < rounds; round++) {
        const own = await runPeer(ownSeat, corpus, limited);
        const delta = await runPeer(ownSeat, corpus, [...limited, '--delta']);
        report(figures, own, delta, changed);
        say(`freshet ${own.ingest.docs_s.toFixed(0)} documents/s, ${own.ingest.cpu_s.toFixed(1)} CPU s`);
        for (const peer of peers) {
          const line = await runPeer(peer, corpus, limited);
          beside(figures, peer.name, own, line);
          say(`${peer.name} ${line.ingest.docs_s.toFixed(0)} documents/s, ${line.ingest.cpu_s.toFixed(1)} CPU s`);
          if (peer.name === 'langchainjs-memory') continue; // it has no faster way for known changes
          const known = await runPeer(peer, corpus, [...limited, '--delta']);
          figures.add(`${peer.name}: known changes`, 's', known.incr.s);
          figures.add(`known changes, freshet / ${peer.name}`, 'ratio', delta.incr.s / known.incr.s);
        }
        figures.add('load average', '', load());
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    return {
      figures: figures.all,
      notes: [
        'freshet: rows into the log of their source, decode, dedupe, PII, the topic of documents, chunk, embed, index with BM25, vectors and versions; log and index durable (synchronous=FULL). raw-sqlite: chunks, FTS5 and vec0 in one file, synchronous=NORMAL. pathway and langchainjs-memory keep their index in memory, without BM25.',
        'A pass over the next state compares all of it; known changes are given as such. "Twice the same" is a second snapshot of the same rows.',
        ...(peers.length === 0
          ? ['No peers: set PEERS_HOME to where they are installed. The corpus was made here.']
          : []),
      ],
    };
  },
};

function report(figures: Figures, own: PeerLine, delta: PeerLine, changed: number): void {
  const differences = [own, delta].flatMap((line) => Object.values(line.phases ?? {}));
  const sum = (of: 'stale' | 'missing'): number => differences.reduce((total, phase) => total + phase[of], 0);
  const add = (name: string, unit: string, value: number, goal?: Goal): void => figures.add(name, unit, value, goal);
  add('documents/s', '1/s', own.ingest.docs_s);
  add('CPU for 1,000 documents', 's', (1_000 * own.ingest.cpu_s) / own.docs);
  add('texts embedded per passage', 'ratio', own.ingest.embed_texts / own.chunking.chunks, { atMost: 1, from: 'I7' });
  add('texts embedded twice the same', 'texts', own.noop?.embed_texts ?? Number.NaN, { atMost: 0, from: 'G4' });
  add('texts embedded per changed document', 'texts', own.incr.embed_texts / changed, { atMost: 1.1, from: 'G4' });
  add('the same of known changes', 'texts', delta.incr.embed_texts / changed, { atMost: 1.1, from: 'G4' });
  add('stale passages after any phase', 'passages', sum('stale'), { atMost: 0, from: 'G6' });
  add('missing passages after any phase', 'passages', sum('missing'), { atMost: 0, from: 'G6' });
  add('twice the same', 's', own.noop?.s ?? Number.NaN);
  add('pass over the next state', 's', own.incr.s, { atMost: 0.15, from: 'G5' });
  add('known changes', 's', delta.incr.s, { atMost: 0.1, from: 'G5' });
  add('memory on top of the start', 'MB', own.rss_peak_mb - own.rss_base_mb, { atMost: 120, from: 'G11' });
  add('event loop blocked, p50', 'ms', own.ingest.loop_p50_ms ?? Number.NaN);
  add('event loop blocked, p99', 'ms', own.ingest.loop_p99_ms ?? Number.NaN);
  add('event loop blocked, max', 'ms', own.ingest.loop_max_ms ?? Number.NaN, { atMost: 50, from: 'acceptance' });
}

function beside(figures: Figures, name: string, own: PeerLine, line: PeerLine): void {
  const atLeast = INGEST_GOALS[name];
  const atMost = SNAPSHOT_GOALS[name];
  figures.add(`${name}: documents/s`, '1/s', line.ingest.docs_s);
  figures.add(
    `documents/s, freshet / ${name}`,
    'ratio',
    own.ingest.docs_s / line.ingest.docs_s,
    atLeast === undefined ? undefined : { atLeast, from: 'G1' },
  );
  figures.add(`CPU, freshet / ${name}`, 'ratio', own.ingest.cpu_s / line.ingest.cpu_s);
  figures.add(`${name}: texts embedded for the next state`, 'texts', line.incr.embed_texts);
  figures.add(
    `pass over the next state, freshet / ${name}`,
    'ratio',
    own.incr.s / line.incr.s,
    atMost === undefined ? undefined : { atMost, from: 'G5' },
  );
  figures.add(`${name}: memory on top of the start`, 'MB', line.rss_peak_mb - line.rss_base_mb);
}
