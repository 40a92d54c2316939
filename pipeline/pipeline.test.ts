import { describe, expect, test } from 'vitest';
import { hashEmbedder } from '../ports/embedder/hash-embedder.ts';
import type { Embedder } from '../ports/embedder/embedder.ts';
import type { LogRecord } from '../ports/log/log.ts';
import { EmbedderUnavailable } from '../runtime/errors.ts';
import type { Marker } from '../schemas/marker.ts';
import { aChange, aRecord, ARTICLES, articleId, never, version } from '../test/support/builders.ts';
import { pipelineRig, TABLE } from '../test/support/pipeline-rig.ts';

const row = (body: string, title = 'Returns') => ({ id: '1', title, body });
const principal = { tenant: 'default', groups: [] };

/** An embedder that fails while `down` is true, and counts what it was asked. */
function fragileEmbedder(): Embedder & { down: boolean; poison: string | undefined } {
  const inner = hashEmbedder();
  const embedder = {
    ...inner,
    model: inner.model,
    tokenizer: inner.tokenizer,
    down: false,
    poison: undefined as string | undefined,
    embed: (texts: readonly string[], kind: 'passage' | 'query', signal?: AbortSignal) => {
      const { poison } = embedder;
      if (embedder.down || (poison !== undefined && texts.some((text) => text.includes(poison))))
        return Promise.reject(new EmbedderUnavailable('503'));
      return inner.embed(texts, kind, signal);
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  return embedder;
}

function aMarker(marker: Partial<Marker> & Pick<Marker, 'kind'>): LogRecord {
  const common = { source: 'help', lane: `${ARTICLES}/0`, lanes: 1, position: '0/64', committedAt: 1_700_000_000_000 };
  const rest =
    marker.kind === 'watermark'
      ? { epoch: 0 }
      : { table: 'public.articles', version: '0', reason: 'truncate' as const };
  return aRecord({ key: `~${marker.kind}/help`, value: JSON.stringify({ ...common, ...rest, ...marker }) });
}

describe('pipeline', () => {
  test('a change becomes a searchable document with its vectors', async () => {
    await using rig = await pipelineRig();
    await rig.append(aChange({ row: row('Goods come back within thirty days.') }));
    await rig.settled();
    const { lexical } = await rig.store.search({
      scope: { principal, filter: {} },
      lexical: { text: 'thirty days', depth: 5 },
    });
    expect(lexical.map((hit) => [hit.documentId, hit.version, hit.passage.text])).toEqual([
      [articleId('1'), version(10), 'Goods come back within thirty days.'],
    ]);
    expect((await rig.store.progress()).passagesWithVector).toBe(1);
  });

  test('a change of a column that is not projected embeds nothing and moves the version on (R4)', async () => {
    await using rig = await pipelineRig();
    await rig.append(
      aChange({ lsn: 10, row: row('Thirty days.') }),
      aChange({ lsn: 20, row: { ...row('Thirty days.'), views: 7 } }),
    );
    await rig.settled();
    await rig.append(aChange({ lsn: 30, row: { ...row('Thirty days.'), views: 8 } }));
    await rig.settled();
    expect(await rig.computed()).toBe(1);
    expect((await rig.store.read([articleId('1')]))[0]).toMatchObject({ version: version(30) });
  });

  test('the text of one document is not embedded again in another (I7)', async () => {
    await using rig = await pipelineRig();
    await rig.append(aChange({ key: '1', row: row('Thirty days.') }));
    await rig.settled();
    await rig.append(aChange({ key: '2', row: row('Thirty days.') }), aChange({ op: 'd', key: '1', lsn: 30 }));
    await rig.settled();
    expect(await rig.computed()).toBe(1);
  });

  test('while the model is down documents are searchable lexically, and their vectors follow when it is back', async () => {
    const embedder = fragileEmbedder();
    embedder.down = true;
    await using rig = await pipelineRig({ embedder });
    await rig.append(aChange({ row: row('Thirty days.') }), aMarker({ kind: 'watermark', position: '0/64' }));
    await rig.settled({ vectors: false });
    const before = await rig.store.progress();
    expect(before).toMatchObject({
      passages: 1,
      passagesWithVector: 0,
      sources: { help: { searchable: { position: '0/64' }, complete: undefined } },
    });
    embedder.down = false;
    await rig.settled();
    expect(await rig.store.progress()).toMatchObject({
      passagesWithVector: 1,
      sources: { help: { complete: { position: '0/64' } } },
    });
  });

  test('a text that the model never takes is parked alone, searchable lexically, and its neighbours get their vectors', async () => {
    const embedder = fragileEmbedder();
    embedder.poison = 'poison';
    await using rig = await pipelineRig({ embedder, inlineBudgetMs: 0 });
    await rig.append(
      ...['a', 'b', 'c', 'd'].map((key) => aChange({ key, row: row(key === 'c' ? 'poison' : `text ${key}`) })),
    );
    await rig.settled();
    expect(await rig.store.progress()).toMatchObject({ passages: 4, passagesWithVector: 3 });
    expect(await rig.deadLetters.list('open', 10, never)).toMatchObject([
      { documentId: articleId('c'), code: 'FRESHET_EMBEDDER_UNAVAILABLE' },
    ]);
  });

  test('a broken row is parked while its neighbours go on, and a retry after the mend works (R10)', async () => {
    await using rig = await pipelineRig({ table: { ...TABLE, body: 'text' } });
    await rig.append(
      aChange({ key: '1', row: row('Thirty days.') }),
      aChange({ key: '2', row: { id: '2', title: 'Shipping', text: 'Two days.' } }),
    );
    await rig.settled();
    const [letter] = await rig.deadLetters.list('open', 10, never);
    expect(letter).toMatchObject({
      stage: 'decode-change',
      code: 'FRESHET_MAPPING_FAILED',
      documentId: articleId('1'),
      version: version(10).toString(),
      pointer: { topic: ARTICLES },
    });
    expect((await rig.store.list({ limit: 10 })).map(({ id }) => id)).toEqual([articleId('2')]);
    rig.tables.set(ARTICLES, TABLE);
    await rig.deadLetters.retry(letter?.id ?? '', never);
    await rig.settled();
    expect((await rig.store.list({ limit: 10 })).map(({ id }) => id)).toEqual([articleId('1'), articleId('2')]);
    expect(await rig.deadLetters.list('open', 10, never)).toEqual([]);
  });

  test('the retry of an old version does not undo a newer one', async () => {
    await using rig = await pipelineRig();
    await rig.append(
      aChange({ lsn: 10, row: { id: '1', title: 'Returns' } }),
      aChange({ lsn: 20, row: row('Sixty days.') }),
    );
    await rig.settled();
    const [letter] = await rig.deadLetters.list('open', 10, never);
    await rig.deadLetters.retry(letter?.id ?? '', never);
    await rig.settled();
    expect((await rig.store.read([articleId('1')]))[0]).toMatchObject({ version: version(20), text: 'Sixty days.' });
  });

  test('a TRUNCATE removes what came before it, also what arrives late, and nothing that came after (R07)', async () => {
    await using rig = await pipelineRig();
    await rig.append(aChange({ key: '1', lsn: 10, row: row('old') }));
    await rig.settled();
    await rig.append(
      aMarker({ kind: 'remove-below', version: version(50).toString() }),
      aChange({ key: '2', lsn: 60, row: row('new') }),
      aChange({ key: '3', lsn: 40, row: row('late') }),
    );
    await rig.settled();
    expect((await rig.store.list({ limit: 10 })).map(({ id }) => id)).toEqual([articleId('2')]);
  });

  test('a replay of the whole log changes nothing and embeds nothing (I2, I6, I7)', async () => {
    await using rig = await pipelineRig();
    const history = [
      aChange({ lsn: 10, row: row('one') }),
      aChange({ lsn: 20, row: row('two') }),
      aChange({ op: 'd', lsn: 30 }),
      aChange({ key: '2', lsn: 40, row: row('three') }),
    ];
    await rig.append(...history);
    await rig.settled();
    const [before, computed] = [await rig.store.list({ limit: 10, includeDeleted: true }), await rig.computed()];
    await rig.append(...history);
    await rig.settled();
    expect(await rig.store.list({ limit: 10, includeDeleted: true })).toEqual(before);
    expect(await rig.computed()).toBe(computed);
  });

  test('PII is gone before the documents topic, the index and the vectors (R22)', async () => {
    await using rig = await pipelineRig();
    await rig.append(aChange({ row: row('Write to jane.roe@example.org about it.', 'Card 4111 1111 1111 1111') }));
    await rig.settled();
    const [document] = await rig.store.read([articleId('1')]);
    expect(JSON.stringify([document?.title, document?.text])).not.toMatch(/jane|4111/);
    expect(document?.lineage.piiPolicy).not.toBe('off');
  });
});
