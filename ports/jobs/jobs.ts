/** A piece of recurring work, by name. `run` is not started again while it runs. */
export interface Job {
  readonly name: string;
  readonly everyMs: number;
  run(signal: AbortSignal): Promise<void>;
}

/**
 * Work by the clock: retention, compaction, canaries. Runs at most once at a time per name over all processes of a deployment.
 * A failing run is logged and tried again at the next turn. Every adapter passes `jobs.conformance.ts`.
 */
export interface Jobs extends AsyncDisposable {
  /** Starts the schedule; the first run comes after `everyMs`. Scheduling a name again replaces it. */
  schedule(job: Job): Promise<void>;
  /**
   * Runs a scheduled job now, unless it runs already, wherever it runs; resolves when it has ended, well or not.
   * @throws NotFound for an unknown name, JobsUnavailable when the schedule cannot be reached.
   */
  runNow(name: string, signal?: AbortSignal): Promise<void>;
}
