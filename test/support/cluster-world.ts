import { expect } from 'vitest';
import type { Random } from '../../runtime/clock.ts';
import type { ClusterDeployment } from './cluster-deployment.ts';
import { Fleet, type Role } from './fleet.ts';
import { PageWorld, SHARED_LOAD } from './page-world.ts';

/** A deployment that takes longer to show a change is stuck, ms. */
export const STUCK_MS = 90_000;
/** A deployment that takes longer to show everything is stuck, ms. */
export const CAUGHT_UP_MS = 120_000;

export interface ClusterWorldOptions {
  readonly deployment: ClusterDeployment;
  readonly random: Random;
  readonly roles: readonly Role[];
  /** Whether a reader must put up with this status; of none but 200 and 404 unless told. */
  readonly isFair?: (status: number) => boolean;
}

/** Processes of a deployment, and pages that are written to its source and read from it. Disposing ends the load, not the processes. */
export class ClusterWorld implements AsyncDisposable {
  readonly fleet: Fleet;
  readonly pages: PageWorld;

  private constructor(fleet: Fleet, pages: PageWorld) {
    this.fleet = fleet;
    this.pages = pages;
  }

  /** Makes the pages, then starts the processes; there is no load yet. */
  static async open({ deployment, random, roles, isFair }: ClusterWorldOptions): Promise<ClusterWorld> {
    const pages = await PageWorld.open({
      database: deployment.database,
      random,
      asked: () => fleet.query,
      explain: () => fleet.stderr(),
      load: SHARED_LOAD,
      stuckMs: STUCK_MS,
      caughtUpMs: CAUGHT_UP_MS,
      ...(isFair && { isFair }),
    });
    const fleet = new Fleet(deployment, roles);
    return new ClusterWorld(fleet, pages);
  }

  /** Ends the load: no process has given up, the index is what the table is, and nobody has seen anything else on the way. */
  async expectIntact(): Promise<void> {
    expect(this.fleet.ended()).toEqual([]);
    expect(await this.pages.compare()).toEqual([]);
    expect(this.pages.ledger.violations).toEqual([]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pages[Symbol.asyncDispose]();
  }
}
