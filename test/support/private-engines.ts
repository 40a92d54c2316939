import { join } from 'node:path';
import { startConnect } from '../../deploy/local/connect.ts';
import { startElasticsearch } from '../../deploy/local/elasticsearch.ts';
import type { Engine } from '../../deploy/local/engine.ts';
import { startKafka } from '../../deploy/local/kafka.ts';
import { Opened } from '../../runtime/opened.ts';
import { engineFolder } from './engine-folder.ts';

/** Engines of a test's own, which it may kill. Redis and PostgreSQL are the shared ones. Disposing kills them and removes what they kept. */
export interface PrivateEngines extends AsyncDisposable {
  readonly kafka: Engine;
  readonly connect: Engine;
  readonly elasticsearch: Engine;
}

/** Beside the shared engines on one machine. */
const HEAP_MB = 512;

/** @param nodes of Kafka and of Elasticsearch, each. */
export async function privateEngines(nodes: number): Promise<PrivateEngines> {
  await using opened = new Opened();
  const { path } = opened.use(await engineFolder());
  const kafka = opened.use(await startKafka({ dir: join(path, 'kafka'), nodes }));
  const elasticsearch = opened.use(
    await startElasticsearch({ dir: join(path, 'elasticsearch'), nodes, heapMb: HEAP_MB }),
  );
  const connect = opened.use(await startConnect({ dir: join(path, 'connect'), brokers: kafka.url }));
  const kept = opened.move();
  return { kafka, connect, elasticsearch, [Symbol.asyncDispose]: () => kept[Symbol.asyncDispose]() };
}
