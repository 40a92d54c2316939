import { systemClock } from '../../runtime/clock.ts';
import { changeOf, changes, textOf } from '../corpus.ts';
import { Figures, load, until, type Scenario } from '../measure.ts';
import { ask } from '../ask.ts';
import { openPlace } from './place.ts';
import { startStub } from '../processes.ts';

const WAIT_MS = 300_000;
const BATCH = 32;
const NEW_ROW = 5_000_000;

export const recovery: Scenario = {
  name: 'recovery',
  question:
    'After kill -9 of the index role in the middle of a backfill: how soon is the next commit searchable, and what is embedded twice?',
  async run({ rounds, quick, say }) {
    const figures = new Figures();
    for (let round = 0; round < rounds; round++) {
      const documents = quick ? 200 : 1_500;
      await using stub = await startStub({
        gpu: { streams: 2, callMs: 100 },
        vectors: 'pooled',
        info: { max_client_batch_size: BATCH },
      });
      await using place = await openPlace({ config: { embedder: { kind: 'tei', url: stub.url } } });
      const prepare = place.start('prepare');
      const killed = place.start('index');
      await Promise.all([prepare.address, killed.address]);
      await place.fill(changes(0, documents));
      await until('a third of the vectors', WAIT_MS, async () => (await place.counts()).vectors > documents);
      await killed.kill('SIGKILL');
      const begun = systemClock.monotonicMs();
      place.startAgain(killed);
      await place.fill([changeOf(NEW_ROW, 9_000_000, { title: 'New', body: textOf(NEW_ROW, 600) })]);
      await until('the new commit searchable', WAIT_MS, async () => {
        const query = { query: { bool: { filter: [{ term: { version: 9_000_000 } }] } } };
        return (
          (await ask<{ readonly count: number }>(`${place.elasticsearch}/${place.name}-*/_count`, query)).count > 0
        );
      });
      const firstMs = systemClock.monotonicMs() - begun;
      const { passages } = await place.awaitIndexed(documents + 1, WAIT_MS);
      const { texts } = await stub.counters();
      figures.add('start again -> new commit searchable', 's', firstMs / 1000, { atMost: 5, from: 'G13' });
      figures.add('texts embedded twice', 'texts', Math.max(0, texts - passages), { atMost: 3 * BATCH, from: 'G13' });
      figures.add('passages', 'passages', passages);
      figures.add('load average', '', load());
      say(`new commit after ${(firstMs / 1000).toFixed(1)} s, ${texts - passages} of ${passages} texts twice`);
    }
    return {
      figures: figures.all,
      notes: [
        'One index process, three partitions, defaults (lexical first). The clock runs from the start of the new process, in the folder of the killed one, so it holds the start of Node, joining the group and what stands before the new commit in its partition.',
        'Texts in flight at the kill reach the device all the same; Redis keeps the vectors that came back. The simulated device answers probes of the product too, which count as texts.',
      ],
    };
  },
};
