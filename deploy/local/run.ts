import { execFile, type ExecFileException } from 'node:child_process';
import { basename } from 'node:path';
import { asUser, type ServerUser } from '../../cli/demo/postgres-binaries.ts';

export interface RunOptions {
  /** The user to run as; absent: ours. */
  readonly user?: ServerUser | undefined;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 300_000;
const LAST_CHARACTERS = 2_000;
const MAX_OUTPUT_BYTES = 1 << 28;

/** A program that runs to its end ended badly, was not there or took too long; the message holds what it wrote last. */
export class ProgramFailed extends Error {
  readonly isMissing: boolean;

  constructor(program: string, cause: ExecFileException, output: string) {
    super(`${basename(program)} failed: ${output.trim().slice(-LAST_CHARACTERS) || cause.message}`, { cause });
    this.isMissing = cause.code === 'ENOENT';
  }
}

/** Runs a program to its end. @throws ProgramFailed unless it ends with 0. */
export function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<void> {
  const { user, cwd, env, timeoutMs = TIMEOUT_MS } = options;
  return new Promise((done, fail) =>
    execFile(
      program,
      args,
      {
        ...asUser(user),
        ...(cwd !== undefined && { cwd }),
        env: { ...process.env, ...env },
        timeout: timeoutMs,
        maxBuffer: MAX_OUTPUT_BYTES,
      },
      (error, stdout, stderr) => (error ? fail(new ProgramFailed(program, error, `${stdout}${stderr}`)) : done()),
    ),
  );
}
