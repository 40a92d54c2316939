import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Figures, load, type Scenario } from '../measure.ts';
import { makeCorpus } from './made-corpus.ts';
import { installedPeers, ownSeat, peersCorpus, runPeer } from './peers.ts';

const DOCUMENTS = 2_000;
const QUICK_DOCUMENTS = 300;
/** A device that takes this for each call and for each of its texts: what a small model on a small GPU needs. */
const DEVICE = { EMB_CALL_MS: '20', EMB_TEXT_US: '1000' };

export const embedderBound: Scenario = {
  name: 'embedder-bound',
  question: 'Does the embedder ever wait for us while there is work? (simulated device, one stream, its backlog full)',
  async run({ rounds, quick, say }) {
    const figures = new Figures();
    const folder = await mkdtemp(join(tmpdir(), 'freshet-bench-'));
    const corpus = peersCorpus() ?? join(folder, 'corpus');
    if (peersCorpus() === undefined) makeCorpus(corpus, DOCUMENTS);
    const limited = ['--limit', String(quick ? QUICK_DOCUMENTS : DOCUMENTS)];
    try {
      for (let round = 0; round < rounds; round++) {
        for (const peer of [ownSeat, ...installedPeers()]) {
          const { ingest } = await runPeer(peer, corpus, limited, DEVICE);
          const ratio = ingest.s / ingest.embed_s;
          const isOurs = peer.name === ownSeat.name;
          figures.add(
            `${peer.name}: wall / time in the embedder`,
            'ratio',
            ratio,
            isOurs ? { atMost: 1.05, from: 'G2' } : undefined,
          );
          figures.add(`${peer.name}: texts of a call`, 'texts', ingest.embed_texts / ingest.embed_calls);
          figures.add(`${peer.name}: wall`, 's', ingest.s);
          say(`${peer.name}: ${ingest.s.toFixed(1)} s, ${ingest.embed_s.toFixed(1)} s in the embedder`);
        }
        figures.add('load average', '', load());
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    return {
      figures: figures.all,
      notes: [
        `${DEVICE.EMB_CALL_MS} ms a call and ${DEVICE.EMB_TEXT_US} us a text; one call at a time. Wall is from the first row to the last vector in the index, so that it holds the way of the first batch to the device and of the last one from it.`,
        'A peer whose calls overlap would show less than 1: its adapter then has more than one stream.',
      ],
    };
  },
};
