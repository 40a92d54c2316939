import kafkajs from 'kafkajs';
import type { PartitionPlace } from '../log.ts';
import { placeName } from './group-member.ts';
import { planAssignment, type JoiningMember } from './plan-assignment.ts';

const { AssignerProtocol } = kafkajs;

/** Name of our way of sharing partitions out. Members of one group must agree on it: other clients cannot join. */
export const PROTOCOL = 'freshet-cooperative';
const VERSION = 1;

/** What a member says of itself when it joins. */
export interface Introduction {
  /** As the broker names them. */
  readonly topics: readonly string[];
  readonly owned: readonly PartitionPlace[];
  readonly generation: number;
  readonly process: string;
}

/** An introduction on the wire. */
export function encodeIntroduction({ topics, owned, generation, process }: Introduction): Buffer {
  const userData = Buffer.from(JSON.stringify({ owned: owned.map(placeName), generation, process }));
  return AssignerProtocol.MemberMetadata.encode({ version: VERSION, topics: [...topics], userData });
}

function decodeIntroduction(id: string, metadata: Buffer): JoiningMember {
  const decoded = AssignerProtocol.MemberMetadata.decode(metadata);
  const claims = JSON.parse(decoded?.userData.toString() ?? '') as Omit<JoiningMember, 'id' | 'topics' | 'process'> & {
    readonly process?: string;
  };
  return { id, topics: new Set(decoded?.topics), ...claims, process: claims.process ?? id };
}

/** What the leader of a group answers for all of its members. */
export function assignmentsOf(
  members: readonly { readonly memberId: string; readonly memberMetadata: Buffer }[],
  partitions: readonly PartitionPlace[],
): { readonly memberId: string; readonly memberAssignment: Buffer }[] {
  const joining = members.map(({ memberId, memberMetadata }) => decodeIntroduction(memberId, memberMetadata));
  return Array.from(planAssignment(joining, partitions), ([memberId, places]) => {
    const assignment: Record<string, number[]> = {};
    for (const { topic, partition } of places) (assignment[topic] ??= []).push(partition);
    return {
      memberId,
      memberAssignment: AssignerProtocol.MemberAssignment.encode({
        version: VERSION,
        assignment,
        userData: Buffer.alloc(0),
      }),
    };
  });
}

/** Topics that any member subscribes to, as the broker names them. */
export function subscribedBy(
  members: readonly { readonly memberId: string; readonly memberMetadata: Buffer }[],
): readonly string[] {
  return [
    ...new Set(
      members.flatMap(({ memberId, memberMetadata }) => [...decodeIntroduction(memberId, memberMetadata).topics]),
    ),
  ].toSorted();
}

/** The partitions of an assignment, by the broker's names. */
export function decodeAssignment(assignment: Buffer): PartitionPlace[] {
  // A member that came too late for its generation gets nothing, not even an empty list.
  const decoded = assignment.length === 0 ? null : AssignerProtocol.MemberAssignment.decode(assignment);
  return Object.entries(decoded?.assignment ?? {}).flatMap(([topic, partitions]) =>
    partitions.map((partition) => ({ topic, partition })),
  );
}
