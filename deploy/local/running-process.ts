import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { signalGroup } from './engine-process.ts';
import { waitUntil } from './wait-until.ts';

/** A process that another one has started and left running. */
export interface RunningProcess {
  readonly name: string;
  readonly pid: number;
  /** Stands in its command line, by which a process is told from a later one with the same number. */
  readonly dir: string;
  readonly logFile: string;
}

const STOP_TIMEOUT_MS = 30_000;

/** Whether the process still runs, and is the one that was started. */
export function isRunning({ pid, dir }: RunningProcess): boolean {
  return commandLineOf(pid).includes(dir);
}

/** Asks the processes to stop and waits; kills those that take too long. */
export async function stopProcesses(processes: readonly RunningProcess[]): Promise<void> {
  const running = processes.filter((each) => isRunning(each));
  // PostgreSQL waits for its clients at SIGTERM.
  for (const { name, pid } of running) signalGroup(pid, name === 'postgres' ? 'SIGINT' : 'SIGTERM');
  const gone = () => !running.some((each) => isRunning(each));
  await waitUntil('The stop', STOP_TIMEOUT_MS, gone).catch(async () => {
    for (const each of running) if (isRunning(each)) signalGroup(each.pid, 'SIGKILL');
    await waitUntil('The end of killed processes', STOP_TIMEOUT_MS, gone);
  });
}

/** Empty for a process that has ended, also one whose parent has not noticed yet. */
function commandLineOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    if (process.platform === 'linux') return '';
    return spawnSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).stdout;
  }
}
