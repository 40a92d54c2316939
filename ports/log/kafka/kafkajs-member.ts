import type { Cluster } from 'kafkajs';
import type { Clock } from '../../../runtime/clock.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { CommitOffset, PartitionPlace } from '../log.ts';
import { faultType, kafkaError } from './classify-error.ts';
import type { GroupBroker, KafkaConnection } from './connection.ts';
import { FetchAhead } from './fetch-ahead.ts';
import type { FormerMembers } from './former-members.ts';
import { placeName, type GroupMember, type MemberListener } from './group-member.ts';
import { assignmentsOf, decodeAssignment, encodeIntroduction, PROTOCOL, subscribedBy } from './group-protocol.ts';
import type { Names } from './names.ts';
import type { FilledKafkaLogOptions } from './options.ts';
import { PartitionSource } from './partition-source.ts';
import { START_MARK, startOffsets } from './start-offsets.ts';

/** What a member is made of. */
export interface MemberParts {
  readonly connection: KafkaConnection;
  readonly options: FilledKafkaLogOptions;
  readonly names: Names;
  /** Tells members of one process from those of others. */
  readonly process: string;
  readonly members: FormerMembers;
  readonly group: string;
  readonly topics: readonly string[];
}

/** How often a commit or a call of the coordinator is tried, and the pause between, ms. */
const ATTEMPTS = 20;
const PAUSE_MS = 100;
/** How long leaving waits for the group, ms. */
const LEAVE_MS = 2_000;

const COORDINATOR_MOVED: ReadonlySet<string | undefined> = new Set([
  'NOT_COORDINATOR_FOR_GROUP',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'GROUP_LOAD_IN_PROGRESS',
  'REQUEST_TIMED_OUT',
  undefined, // the connection broke
]);

/**
 * A member of a consumer group over kafkajs' protocol layer. It differs from kafkajs' own consumer: it goes on with what it keeps while
 * the group changes (plan-assignment.ts), gives a partition up only after what is in work has been committed, and tells that it lives
 * by a clock of its own, however long a batch takes.
 */
export class KafkajsMember implements GroupMember {
  readonly #parts: MemberParts;
  readonly #listener: MemberListener;
  readonly #cluster: Cluster;
  readonly #source: PartitionSource;
  readonly #fetching: FetchAhead;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #left = new AbortController();
  readonly #owned = new Map<string, PartitionPlace>();
  #coordinator: GroupBroker | undefined;
  #memberId = '';
  #generation = -1;
  #running: Promise<void> | undefined;
  /** Resolves when the join that is under way has ended. */
  #joining: Promise<void> = Promise.resolve();
  #mustRejoin = false;
  #mustLook = false;
  /** What the leader shared out last, and over whose topics; undefined for others. */
  #shared: { readonly topics: readonly string[]; readonly places: string } | undefined;
  #wake: () => void = () => undefined;

  constructor(parts: MemberParts, listener: MemberListener) {
    const { connection, options, names, group } = parts;
    this.#parts = parts;
    this.#listener = listener;
    this.#clock = options.clock;
    this.#logger = options.logger.child({ group });
    this.#cluster = connection.groupCluster();
    this.#source = new PartitionSource(() => connection.cluster(), names, options);
    this.#fetching = new FetchAhead({ source: this.#source, listener, options, signal: this.#left.signal });
  }

  join(): void {
    if (this.#left.signal.aborted) return;
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
  }

  resume(): void {
    this.#fetching.pump();
  }

  lookForTopics(): void {
    this.#mustLook = true;
    this.#wake();
  }

  async commit(offsets: readonly CommitOffset[], signal?: AbortSignal): Promise<readonly CommitOffset[]> {
    for (let attempt = 1; ; attempt++) {
      const own = offsets.filter((offset) => this.#owned.has(placeName(offset)));
      if (own.length === 0) return [];
      const { generation, memberId } = { generation: this.#generation, memberId: this.#memberId };
      try {
        await this.#send(own, memberId, generation);
        return own;
      } catch (error) {
        signal?.throwIfAborted();
        const type = faultType(error);
        const isJoining = type === 'REBALANCE_IN_PROGRESS' || type === 'ILLEGAL_GENERATION';
        if (type === 'UNKNOWN_MEMBER_ID') return [];
        if (!isJoining && !COORDINATOR_MOVED.has(type)) throw this.#failure(error, 'commit offsets');
        if (attempt === ATTEMPTS) throw this.#failure(error, 'commit offsets');
        if (isJoining) await this.#joining;
        else this.#coordinator = undefined;
        // The join that makes the commit possible may not have begun: the heartbeat will tell.
        if (!isJoining || generation === this.#generation) await this.#pause(signal);
      }
    }
  }

  async leave(): Promise<void> {
    if (this.#left.signal.aborted) return;
    this.#left.abort();
    this.#wake();
    // A join ends when the other members have come, too. Where the broker is gone there is nothing to wait for: the group notices
    // after the session timeout.
    const timer = new AbortController();
    await Promise.race([this.#goodbye(), this.#clock.sleep(LEAVE_MS, timer.signal).catch(() => undefined)]);
    timer.abort();
    // A request that waits for records is not waited for.
    for (const closing of [this.#cluster.disconnect(), this.#source.close()]) closing.catch(() => undefined);
  }

  async #goodbye(): Promise<void> {
    await this.#running;
    try {
      if (this.#memberId !== '' && this.#coordinator) {
        await this.#coordinator.leaveGroup({ groupId: this.#groupId(), memberId: this.#memberId });
        this.#parts.members.left(this.#groupId(), this.#memberId);
      }
    } catch (error) {
      this.#logger.debug('A member could not take its leave.', { error: this.#failure(error, 'leave the group') });
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#left;
    let heardMs = this.#clock.monotonicMs();
    while (!signal.aborted) {
      try {
        await this.#source.know(this.#parts.topics);
        await this.#joined();
        await this.#stay(() => (heardMs = this.#clock.monotonicMs()));
      } catch (error) {
        if (signal.aborted) return;
        const type = faultType(error);
        if (type === 'REBALANCE_IN_PROGRESS') continue;
        if (type === 'UNKNOWN_MEMBER_ID' || type === 'ILLEGAL_GENERATION') {
          this.#logger.warn('A member was taken for dead; it joins its group again.', { type });
          this.#loseEverything();
          continue;
        }
        const failure = this.#failure(error, 'read as a member of a group');
        const isStale = this.#clock.monotonicMs() - heardMs > this.#parts.options.sessionTimeoutMs;
        if (failure.fate === 'fatal' || isStale || !COORDINATOR_MOVED.has(type)) {
          this.#loseEverything();
          this.#listener.failed(failure);
          return;
        }
        this.#coordinator = undefined;
        await this.#pause(signal);
      }
    }
  }

  #joined(): Promise<void> {
    const join = this.#join();
    this.#joining = join.catch(() => undefined);
    return join;
  }

  async #join(): Promise<void> {
    const { options, names, topics, process, members } = this.#parts;
    this.#mustRejoin = false;
    const coordinator = await this.#findCoordinator();
    const groupId = this.#groupId();
    await this.#replace(members.take(groupId), coordinator);
    const owned = [...this.#owned.values()].map(({ topic, partition }) => ({ topic: names.toWire(topic), partition }));
    const introduction = {
      topics: topics.map((topic) => names.toWire(topic)),
      owned,
      generation: this.#generation,
      process,
    };
    const joined = await coordinator.joinGroup({
      groupId,
      sessionTimeout: options.sessionTimeoutMs,
      rebalanceTimeout: options.sessionTimeoutMs,
      memberId: this.#memberId,
      groupProtocols: [{ name: PROTOCOL, metadata: encodeIntroduction(introduction) }],
    });
    if (this.#memberId !== joined.memberId) {
      members.left(groupId, this.#memberId);
      members.joined(groupId, joined.memberId);
    }
    this.#memberId = joined.memberId;
    const isLeader = joined.leaderId === joined.memberId;
    const groupAssignment = isLeader ? await this.#share(joined.members) : [];
    if (!isLeader) this.#shared = undefined;
    const { generationId: generation, memberId } = joined;
    const { memberAssignment } = await coordinator.syncGroup({
      groupId,
      generationId: generation,
      memberId,
      groupAssignment,
    });
    this.#generation = generation;
    const places = decodeAssignment(memberAssignment).map(({ topic, partition }) => ({
      topic: names.fromWire(topic) ?? topic,
      partition,
    }));
    await this.#take(places, coordinator);
    this.#logger.info('A member has joined its group.', { generation, partitions: this.#owned.size, isLeader });
  }

  /** Says of members of a process that was killed that they are gone, so that nobody waits for them. */
  async #replace(former: readonly string[], coordinator: GroupBroker): Promise<void> {
    for (const memberId of former)
      try {
        await coordinator.leaveGroup({ groupId: this.#groupId(), memberId });
        this.#logger.info('A member of the process that was here before is gone.', { memberId });
      } catch (error) {
        // The broker has forgotten it already, or will.
        this.#logger.debug('A former member could not be taken out of its group.', { type: faultType(error) });
      }
  }

  /** The leader's part: reads again which partitions there are, and shares them out. */
  async #share(members: Parameters<typeof subscribedBy>[0]): Promise<ReturnType<typeof assignmentsOf>> {
    const topics = subscribedBy(members);
    const places = await this.#look(topics);
    this.#shared = { topics, places: places.map(placeName).join() };
    return assignmentsOf(members, places);
  }

  /** The partitions that topics have now, by the broker's names. */
  async #look(topics: readonly string[]): Promise<PartitionPlace[]> {
    const { names } = this.#parts;
    const ours = topics.map((topic) => names.fromWire(topic) ?? topic);
    await this.#source.know(ours, true);
    return ours.flatMap((topic) =>
      this.#source.partitions(topic).map((partition) => ({ topic: names.toWire(topic), partition })),
    );
  }

  async #take(places: readonly PartitionPlace[], coordinator: GroupBroker): Promise<void> {
    const given = new Set(places.map(placeName));
    const revoked = [...this.#owned.values()].filter((place) => !given.has(placeName(place)));
    if (revoked.length > 0) void this.#giveUp(revoked);
    const added = places.filter((place) => !this.#owned.has(placeName(place)));
    if (added.length === 0) return;
    const { names, group } = this.#parts;
    await this.#source.know([...new Set(added.map(({ topic }) => topic))]);
    const parts = { group, names, source: this.#source, logger: this.#logger };
    const { assigned, starting } = await startOffsets(parts, coordinator, added);
    if (starting.length > 0) {
      const offsets = starting.map(({ topic, partition, position: next }) => ({ topic, partition, next }));
      await this.#send(offsets, this.#memberId, this.#generation, START_MARK);
    }
    for (const place of assigned) this.#owned.set(placeName(place), { topic: place.topic, partition: place.partition });
    this.#listener.assigned(assigned);
  }

  /** Lets the work in hand end, then joins again without the partitions, so that their new owner gets them. */
  async #giveUp(places: readonly PartitionPlace[]): Promise<void> {
    await this.#listener.revoking(places);
    for (const place of places) this.#owned.delete(placeName(place));
    this.#mustRejoin = true;
    this.#wake();
  }

  #loseEverything(): void {
    const places = [...this.#owned.values()];
    this.#owned.clear();
    this.#generation = -1;
    this.#memberId = '';
    this.#listener.lost(places);
  }

  /** Tells the coordinator that this member lives, until the group changes. */
  async #stay(onHeard: () => void): Promise<void> {
    const { heartbeatMs, metadataMaxAgeMs } = this.#parts.options;
    const { signal } = this.#left;
    onHeard();
    let lookedMs = this.#clock.monotonicMs();
    while (!signal.aborted && !this.#mustRejoin) {
      await this.#sleepOrWake(heartbeatMs);
      if (signal.aborted || this.#mustRejoin) return;
      const coordinator = await this.#findCoordinator();
      const groupGenerationId = this.#generation;
      await coordinator.heartbeat({ groupId: this.#groupId(), groupGenerationId, memberId: this.#memberId });
      onHeard();
      if (!this.#mustLook && this.#clock.monotonicMs() - lookedMs < metadataMaxAgeMs) continue;
      this.#mustLook = false;
      lookedMs = this.#clock.monotonicMs();
      if (this.#shared && (await this.#look(this.#shared.topics)).map(placeName).join() !== this.#shared.places) return;
    }
  }

  async #send(offsets: readonly CommitOffset[], memberId: string, generation: number, mark?: string): Promise<void> {
    const { names } = this.#parts;
    const topics = new Map<string, { partition: number; offset: string; metadata: string | null }[]>();
    for (const { topic, partition, next } of offsets) {
      const wire = names.toWire(topic);
      const list = topics.get(wire) ?? [];
      topics.set(wire, [...list, { partition, offset: next.toString(), metadata: mark ?? null }]);
    }
    const coordinator = await this.#findCoordinator();
    await coordinator.offsetCommit({
      groupId: this.#groupId(),
      groupGenerationId: generation,
      memberId,
      topics: Array.from(topics, ([topic, partitions]) => ({ topic, partitions })),
    });
  }

  async #findCoordinator(): Promise<GroupBroker> {
    if (this.#coordinator?.isConnected()) return this.#coordinator;
    if (!this.#cluster.isConnected()) await this.#cluster.connect();
    await this.#cluster.refreshMetadataIfNecessary();
    this.#coordinator = (await this.#cluster.findGroupCoordinator({ groupId: this.#groupId() })) as GroupBroker;
    return this.#coordinator;
  }

  #groupId(): string {
    return this.#parts.names.toWire(this.#parts.group);
  }

  #failure(error: unknown, doing: string): ReturnType<typeof kafkaError> {
    return kafkaError(error, doing, this.#parts.options.brokers);
  }

  async #pause(signal?: AbortSignal): Promise<void> {
    await this.#clock.sleep(PAUSE_MS, signal).catch(() => undefined);
  }

  async #sleepOrWake(ms: number): Promise<void> {
    if (this.#mustLook) return;
    const timer = new AbortController();
    this.#wake = () => timer.abort();
    await this.#clock.sleep(ms, timer.signal).catch(() => undefined);
    this.#wake = () => undefined;
  }
}
