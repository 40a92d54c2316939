import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '../../../runtime/logger.ts';

const FILE = 'group-members.json';

type Members = Readonly<Record<string, readonly string[]>>;

/**
 * The members that this process has in its groups, kept in its folder. A process that starts in the folder of one that was killed finds
 * whose places it takes, and tells the brokers that those are gone: they need not wait for the session to time out.
 */
export class FormerMembers {
  readonly #path: string;
  readonly #logger: Logger;
  readonly #former: Map<string, readonly string[]>;
  readonly #own = new Map<string, Set<string>>();

  constructor(folder: string, logger: Logger) {
    this.#path = join(folder, FILE);
    this.#logger = logger;
    mkdirSync(folder, { recursive: true });
    this.#former = new Map(Object.entries(this.#read()));
  }

  /** Members of the process that was here before; the first who asks for a group gets them. */
  take(group: string): readonly string[] {
    const members = this.#former.get(group) ?? [];
    this.#former.delete(group);
    return members;
  }

  joined(group: string, member: string): void {
    const members = this.#own.get(group) ?? new Set();
    if (members.has(member)) return;
    this.#own.set(group, members.add(member));
    this.#write();
  }

  left(group: string, member: string): void {
    if (this.#own.get(group)?.delete(member)) this.#write();
  }

  #read(): Members {
    try {
      return JSON.parse(readFileSync(this.#path, 'utf8')) as Members;
    } catch {
      return {}; // none yet, or torn by a loss of power: then the session times out
    }
  }

  /** Small, seldom, and in one step. A file that cannot be written costs time after a kill, and nothing else. */
  #write(): void {
    const members = new Map([...this.#former].map(([group, ids]): [string, readonly string[]] => [group, ids]));
    for (const [group, ids] of this.#own) members.set(group, [...(members.get(group) ?? []), ...ids]);
    try {
      writeFileSync(`${this.#path}.new`, JSON.stringify(Object.fromEntries(members)));
      renameSync(`${this.#path}.new`, this.#path);
    } catch (error) {
      this.#logger.debug('The members of this process could not be kept.', { cause: String(error) });
    }
  }
}
