import { EngineProcess, type Command } from './engine-process.ts';

/** An engine of one or several nodes, each a process. Disposing kills them: what a test leaves behind is of no use. */
export interface Engine extends AsyncDisposable {
  /** What clients are given; names every node where the engine's clients take several. */
  readonly url: string;
  readonly nodes: readonly EngineProcess[];
  /**
   * Sends a signal to a node, the first unless told. Resolves when the process is gone for SIGKILL, SIGTERM and SIGINT, else
   * (SIGSTOP, SIGCONT) at once.
   */
  kill(signal: NodeJS.Signals, node?: number): Promise<void>;
  /** Starts a node that has ended again, on the same data and port; resolves when it takes work. */
  restart(node?: number): Promise<void>;
  /** Stops all nodes as their engine wants to be stopped, so that the data may be used again. */
  stop(): Promise<void>;
}

/**
 * Starts the nodes of an engine side by side.
 * @throws Error of the first node that did not come up; no node is left running then.
 */
export async function startNodes(url: string, commands: readonly Command[], signal?: AbortSignal): Promise<Engine> {
  const nodes = commands.map((command) => new EngineProcess(command));
  const at = (index: number): EngineProcess => {
    const node = nodes[index];
    if (!node) throw new Error(`There is no node ${index}: the engine has ${nodes.length}.`);
    return node;
  };
  const dispose = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.kill('SIGKILL')));
  };
  const starts = await Promise.allSettled(nodes.map((node) => node.start(signal)));
  const failed = starts.find((each) => each.status === 'rejected');
  if (failed) {
    await dispose();
    throw failed.reason;
  }
  return {
    url,
    nodes,
    kill: (name, node = 0) => at(node).kill(name),
    restart: (node = 0) => at(node).start(),
    stop: async () => {
      await Promise.all(nodes.map((node) => node.stop()));
    },
    [Symbol.asyncDispose]: dispose,
  };
}
