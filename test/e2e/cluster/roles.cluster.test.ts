import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ClusterDeployment } from '../../support/cluster-deployment.ts';
import type { LiveProduct } from '../../support/live-product.ts';

/* A row that is committed in PostgreSQL becomes an answer through Debezium, Kafka and Elasticsearch, each role a process of its own. */

const WAIT_MS = 60_000;

describe('roles as processes, on the real engines', () => {
  let deployment: ClusterDeployment;
  let query: LiveProduct;

  beforeAll(async () => {
    deployment = await ClusterDeployment.open({
      source: 'helpdesk',
      tables: [{ table: 'public.articles', title: 'title', body: 'body' }],
    });
    await deployment.database.sql(
      `CREATE TABLE articles (id int PRIMARY KEY, title text, body text);
       INSERT INTO articles SELECT n, 'Article ' || n, 'Before the start, article ' || n || ' was there.' FROM generate_series(1, 50) n`,
    );
    for (const roles of ['connectors', 'prepare', 'prepare', 'index', 'index']) deployment.start(roles);
    query = deployment.start('query');
    await query.address;
  });

  afterAll(async () => {
    await deployment[Symbol.asyncDispose]();
  });

  async function searchNow(text: string) {
    const { status, body } = await query.search({
      query: text,
      k: 3,
      after: { helpdesk: await deployment.position() },
      waitMs: WAIT_MS,
    });
    expect(status, JSON.stringify(body)).toBe(200);
    return body.results.map(({ source, text: found }) => `${source.key}: ${found}`);
  }

  test('rows from before the start are found', async () => {
    expect(await searchNow('article 17 before the start')).toContainEqual(
      '17: Before the start, article 17 was there.',
    );
  });

  test('an insert, an update and a deletion are seen by whoever waits for them', async () => {
    const { database } = deployment;
    await database.sql(`INSERT INTO articles VALUES (100, 'Watermarks', 'A watermark passes every partition.')`);
    expect(await searchNow('watermark partition')).toContain('100: A watermark passes every partition.');
    await database.sql(`UPDATE articles SET body = 'A tombstone outlives a late upsert.' WHERE id = 100`);
    expect(await searchNow('tombstone upsert')).toContain('100: A tombstone outlives a late upsert.');
    expect((await searchNow('watermark partition')).join()).not.toContain('passes every partition');
    await database.sql('DELETE FROM articles WHERE id = 100');
    expect((await searchNow('tombstone upsert')).join()).not.toContain('outlives');
  });

  test('a truncated table is gone', async () => {
    await deployment.database.sql('TRUNCATE articles');
    expect(await searchNow('article')).toEqual([]);
  });

  test('the process that answers tells how the source is, although another one reads it', async () => {
    const { body } = await query.get<{ sources: Record<string, { state?: string }> }>('/v1/freshness');
    expect(body.sources['helpdesk']).toMatchObject({ connected: true, state: 'streaming' });
  });
});
