import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { ArmConfig, ExperimentConfig } from '../../runtime/config/experiments-config.ts';
import type { Principal } from '../../schemas/principal.ts';
import type { SearchRequest } from '../../schemas/query.ts';

/** Whom a program asks for, where it asks for many: callers with one value of it see one arm. */
export const UNIT_HEADER = 'x-freshet-experiment-unit';
const MAX_UNIT_CHARS = 256;
/** Of a hash, this many bits choose the arm: the error of a share is below a millionth. */
const HASH_BYTES = 6;

/** What experiments say of one question. */
export interface Assigned {
  /** Arm by experiment; empty without experiments. */
  readonly arms: Readonly<Record<string, string>>;
  /** Where a request says nothing itself. */
  readonly settings: Pick<SearchRequest, 'k' | 'mode' | 'rerank'>;
}

/** Who is one participant of experiments, as the caller says it. Too long is cut: it changes nothing but the arm. */
export function unitOf(headers: IncomingHttpHeaders): string | undefined {
  const unit = headers[UNIT_HEADER];
  return typeof unit === 'string' && unit !== '' ? unit.slice(0, MAX_UNIT_CHARS) : undefined;
}

/**
 * The arm of every experiment for a caller: the same for the same experiment, tenant and subject (or unit, where one is named), in every process
 * and after every restart, so that nothing needs to be kept. The name of the experiment is the salt: who is in one arm of it says nothing
 * about another experiment. Callers without a subject, as those with one API key, are one participant.
 */
export function assignArms(
  experiments: readonly ExperimentConfig[],
  { tenant, subject }: Principal,
  unit: string | undefined,
): Assigned {
  const arms: Record<string, string> = {};
  let settings: Assigned['settings'] = {};
  for (const experiment of experiments) {
    const participant = unit === undefined ? ['subject', subject ?? ''] : ['unit', unit];
    const arm = armAt(experiment.arms, fraction(JSON.stringify([experiment.name, tenant, ...participant])));
    if (!arm) continue;
    arms[experiment.name] = arm.name;
    settings = { ...settings, ...settingsOf(arm) };
  }
  return { arms, settings };
}

/** Uniform in [0, 1), by the text. */
function fraction(text: string): number {
  return createHash('sha256').update(text).digest().readUIntBE(0, HASH_BYTES) / 2 ** (8 * HASH_BYTES);
}

function armAt(arms: readonly ArmConfig[], at: number): ArmConfig | undefined {
  let left = at * arms.reduce((sum, { share = 1 }) => sum + share, 0);
  return arms.find(({ share = 1 }) => (left -= share) < 0) ?? arms.at(-1);
}

function settingsOf({ k, mode, rerank }: ArmConfig): Assigned['settings'] {
  return {
    ...(k !== undefined && { k }),
    ...(mode !== undefined && { mode }),
    ...(rerank !== undefined && { rerank: rerank === 'always' }),
  };
}
