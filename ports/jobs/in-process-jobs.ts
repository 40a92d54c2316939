import type { Clock } from '../../runtime/clock.ts';
import { classify, NotFound } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Job, Jobs } from './jobs.ts';

/** The clock that the schedule goes by, and where failures are told. */
export interface InProcessJobsOptions {
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Scheduled {
  readonly job: Job;
  /** Ends the schedule and aborts the run. */
  readonly stop: AbortController;
  running: Promise<void> | undefined;
}

/** The schedule of one process. Two processes of one deployment would each have their own: the embedded profile has one. */
export class InProcessJobs implements Jobs {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #scheduled = new Map<string, Scheduled>();
  readonly #schedules = new Set<Promise<void>>();

  constructor({ clock, logger }: InProcessJobsOptions) {
    this.#clock = clock;
    this.#logger = logger;
  }

  async schedule(job: Job): Promise<void> {
    const former = this.#scheduled.get(job.name);
    const scheduled: Scheduled = { job, stop: new AbortController(), running: undefined };
    this.#scheduled.set(job.name, scheduled);
    if (former) await end(former);
    const schedule = this.#repeat(scheduled).finally(() => this.#schedules.delete(schedule));
    this.#schedules.add(schedule);
  }

  async runNow(name: string, signal?: AbortSignal): Promise<void> {
    const scheduled = this.#scheduled.get(name);
    if (!scheduled) throw new NotFound(`there is no job ${name}`);
    const run = this.#run(scheduled);
    if (!signal) return run;
    signal.throwIfAborted();
    // The caller stops waiting; the run goes on, because the schedule would have started it, too.
    let abort: (() => void) | undefined;
    const aborted = new Promise<never>((_, reject) => {
      abort = () => reject(signal.reason as Error);
      signal.addEventListener('abort', abort, { once: true });
    });
    await Promise.race([run, aborted]).finally(() => abort && signal.removeEventListener('abort', abort));
  }

  /** Aborts what runs and resolves when it has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(Array.from(this.#scheduled.values(), end));
    this.#scheduled.clear();
    await Promise.all(this.#schedules);
  }

  async #repeat(scheduled: Scheduled): Promise<void> {
    const { job, stop } = scheduled;
    for (;;) {
      try {
        await this.#clock.sleep(job.everyMs, stop.signal);
      } catch {
        return; // stopped
      }
      await this.#run(scheduled);
    }
  }

  /** Joins the run that is going on, if there is one. Never rejects. */
  #run(scheduled: Scheduled): Promise<void> {
    scheduled.running ??= this.#attempt(scheduled).finally(() => {
      scheduled.running = undefined;
    });
    return scheduled.running;
  }

  async #attempt({ job, stop }: Scheduled): Promise<void> {
    if (stop.signal.aborted) return;
    try {
      await job.run(stop.signal);
    } catch (error) {
      if (stop.signal.aborted) return;
      this.#logger.warn('A job failed and runs again at its next turn.', { job: job.name, error: classify(error) });
    }
  }
}

async function end(scheduled: Scheduled): Promise<void> {
  scheduled.stop.abort();
  await scheduled.running;
}

/** Jobs in timers of this process: once at a time per name, in this process only. */
export function inProcessJobs(options: InProcessJobsOptions): Jobs {
  return new InProcessJobs(options);
}
