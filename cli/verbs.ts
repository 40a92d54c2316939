import type { Verb } from './verb.ts';

const serverFlags = { url: { type: 'string' }, tenant: { type: 'string' }, groups: { type: 'string' } } as const;
const serverFlagHelp = {
  url: 'address of the server (default: server.host and server.port of the config)',
  tenant: 'tenant to ask as, where the server takes it from headers (auth.mode none), or whose API key to use',
  groups: 'groups to ask as, separated by commas',
};
const queryFlags = {
  ...serverFlags,
  filter: { type: 'string', multiple: true },
  k: { type: 'string' },
  mode: { type: 'string' },
} as const;
const queryFlagHelp = {
  ...serverFlagHelp,
  filter: 'condition on metadata: name=value, name>=x or name<x; repeatable',
  k: 'how many passages (1 to 100, default 8)',
  mode: 'hybrid, lexical or dense (default hybrid)',
};

/** Every verb, in the order of the overview. The only place that names their files. */
export const verbs: readonly Verb[] = [
  {
    name: 'start',
    summary: 'runs the pipeline and the query API',
    usage: 'start [--roles connectors,prepare,index,query] [--until-caught-up]',
    flags: { roles: { type: 'string' }, 'until-caught-up': { type: 'boolean' } },
    flagHelp: {
      roles: 'which roles this process takes, separated by commas (default: all)',
      'until-caught-up': 'exit with 0 once the index has passed the source positions seen at start',
    },
    words: [0, 0],
    run: async (context) => (await import('./start.ts')).start(context),
  },
  {
    name: 'check',
    summary: 'validates the config, probes every dependency and says how to mend what is wrong',
    usage: 'check',
    flags: {},
    flagHelp: {},
    words: [0, 0],
    run: async (context) => (await import('./check.ts')).check(context),
  },
  {
    name: 'setup',
    summary: 'creates the data folder, topics, publications and slots; may be repeated',
    usage: 'setup',
    flags: {},
    flagHelp: {},
    words: [0, 0],
    run: async (context) => (await import('./setup.ts')).setup(context),
  },
  {
    name: 'status',
    summary: 'shows position, lag, freshness and dead letters of every source',
    usage: 'status',
    flags: serverFlags,
    flagHelp: serverFlagHelp,
    words: [0, 0],
    run: async (context) => (await import('./status.ts')).status(context),
  },
  {
    name: 'search',
    summary: 'finds passages',
    usage: 'search <text> [--k 8] [--mode hybrid] [--filter name=value]',
    flags: queryFlags,
    flagHelp: queryFlagHelp,
    words: [1, Infinity],
    run: async (context) => (await import('./search.ts')).search(context),
  },
  {
    name: 'ask',
    summary: 'answers a question with citations',
    usage: 'ask <question> [--k 8] [--mode hybrid] [--filter name=value]',
    flags: queryFlags,
    flagHelp: queryFlagHelp,
    words: [1, Infinity],
    run: async (context) => (await import('./ask.ts')).ask(context),
  },
  {
    name: 'explain',
    summary: 'shows version, passages and lineage of a document, and why it is (not) searchable',
    usage: 'explain <document id or passage id>',
    flags: serverFlags,
    flagHelp: serverFlagHelp,
    words: [1, 1],
    run: async (context) => (await import('./explain.ts')).explain(context),
  },
  {
    name: 'failures',
    summary: 'lists, shows, retries or discards dead letters',
    usage: 'failures list | show <id> | retry <id>... | retry --all | discard <id>...',
    flags: { ...serverFlags, all: { type: 'boolean' }, source: { type: 'string' }, state: { type: 'string' } },
    flagHelp: {
      ...serverFlagHelp,
      all: 'with retry: every open dead letter (of --source)',
      source: 'only those of one source',
      state: 'open, retried or discarded (default open)',
    },
    words: [1, Infinity],
    run: async (context) => (await import('./failures.ts')).failures(context),
  },
  {
    name: 'demo',
    summary: 'starts everything on a database of its own and asks a first question',
    usage: 'demo [--once] [--port 8080]',
    flags: { once: { type: 'boolean' }, port: { type: 'string' } },
    flagHelp: {
      once: 'ask one question, print the cited answer and exit',
      port: 'port to listen on (default 8080, or the next free one)',
    },
    words: [0, 0],
    run: async (context) => (await import('./demo/demo.ts')).demo(context),
  },
  {
    name: 'help',
    summary: 'shows this overview, or how one verb is used',
    usage: 'help [verb]',
    flags: {},
    flagHelp: {},
    words: [0, 1],
    run: async (context) => (await import('./help.ts')).help(context),
  },
  {
    name: 'version',
    summary: 'prints the version',
    usage: 'version',
    flags: {},
    flagHelp: {},
    words: [0, 0],
    run: async (context) => (await import('./version.ts')).version(context),
  },
];
