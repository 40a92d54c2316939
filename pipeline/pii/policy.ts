import { createHash, createHmac } from 'node:crypto';
import type { FilledPipeline } from '../../runtime/config/config.ts';
import { InvalidConfig } from '../../runtime/errors.ts';
import { ContextWords } from './context.ts';
import { ENTITIES, isEntity, type Entity } from './entities.ts';
import { RECOGNISERS } from './recognisers/all.ts';
import { Scanner } from './scan.ts';

/** Rises with every change of what the recognisers find, so that lineage tells which rules a text has been through. */
export const RULES_REVISION = 1;

/** What to look for and what to put in its place. Made once per process; not to be used by two calls at a time. */
export interface PiiPolicy {
  readonly mode: 'mask' | 'pseudonym' | 'off';
  /** In the order of ENTITIES. */
  readonly entities: readonly Entity[];
  /** The config names the entities: then a number that is right by its form needs no word beside it. */
  readonly isExplicit: boolean;
  /** Changes with the rules, the mode, the entities and the secret; says nothing about the secret. */
  readonly fingerprint: string;
  readonly secret: string;
  readonly scanner: Scanner;
  readonly context: ContextWords;
}

/**
 * Makes the policy of a pipeline.
 * @throws InvalidConfig for an entity that does not exist, or pseudonyms without a secret.
 */
export function createPiiPolicy(config: FilledPipeline['pii']): PiiPolicy {
  const unknown = (config.entities ?? []).filter((name) => !isEntity(name));
  if (unknown.length > 0)
    throw new InvalidConfig(
      `pipeline.pii.entities: there is no ${unknown.join(', ')}; expected some of ${ENTITIES.join(', ')}`,
    );
  if (config.mode === 'pseudonym' && !config.secret)
    throw new InvalidConfig(
      'pipeline.pii.secret: expected the key of the pseudonyms, because pipeline.pii.mode is pseudonym',
    );
  const optIn = new Set(RECOGNISERS.filter((recogniser) => recogniser.isOptIn).map(({ entity }) => entity));
  const wanted = new Set<string>(config.entities ?? ENTITIES.filter((entity) => !optIn.has(entity)));
  const entities = ENTITIES.filter((entity) => wanted.has(entity));
  const recognisers = RECOGNISERS.filter(({ entity }) => wanted.has(entity));
  return {
    mode: config.mode,
    entities,
    isExplicit: config.entities !== undefined,
    fingerprint: fingerprintOf(config, entities),
    secret: config.secret ?? '',
    scanner: new Scanner(recognisers),
    context: new ContextWords(recognisers),
  };
}

function fingerprintOf(config: FilledPipeline['pii'], entities: readonly Entity[]): string {
  if (config.mode === 'off') return 'off';
  const key =
    config.mode === 'pseudonym'
      ? createHmac('sha256', config.secret ?? '')
          .update('fingerprint')
          .digest('hex')
      : '';
  const parts = [RULES_REVISION, config.mode, config.entities ? entities.join() : 'default', key];
  return `${config.mode}-${createHash('sha256').update(parts.join('|')).digest('hex').slice(0, 12)}`;
}
