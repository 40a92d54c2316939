import type { TopicSpec } from '../ports/log/log.ts';
import { CONNECTOR_STATE_TOPIC, DEAD_LETTERS_TOPIC, DOCUMENTS_TOPIC, VECTORS_TOPIC } from '../schemas/topics.ts';

/** Consumer group that prepares documents from source topics. */
export const PREPARE_GROUP = 'freshet-prepare';

/** Topics of the pipeline itself. `freshet.documents` keeps the newest version of every document for ever. */
export function pipelineTopics(partitions: number, retentionMs: number): readonly TopicSpec[] {
  return [
    { name: DOCUMENTS_TOPIC, partitions, cleanup: 'compact' },
    { name: VECTORS_TOPIC, partitions, cleanup: 'delete', retentionMs },
    { name: DEAD_LETTERS_TOPIC, partitions: 1, cleanup: 'compact' },
    { name: CONNECTOR_STATE_TOPIC, partitions: 1, cleanup: 'compact' },
  ];
}
