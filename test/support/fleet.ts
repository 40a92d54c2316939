import type { ClusterDeployment } from './cluster-deployment.ts';
import type { LiveProduct } from './live-product.ts';

/** What a process of the fleet does. */
export type Role = 'connectors' | 'prepare' | 'index' | 'query';

interface Member {
  readonly role: Role;
  product: LiveProduct;
}

/** The processes of a deployment, one role each, that are killed and replaced. The deployment disposes of them. */
export class Fleet {
  readonly #deployment: ClusterDeployment;
  readonly #members: Member[];

  /** Starts them. There must be one of `query`. */
  constructor(deployment: ClusterDeployment, roles: readonly Role[]) {
    this.#deployment = deployment;
    this.#members = roles.map((role) => ({ role, product: deployment.start(role) }));
  }

  /** The first process that answers questions: the one that runs now. */
  get query(): LiveProduct {
    return this.#of('query').product;
  }

  /** Kills the n-th process of a role and starts another one, in its place or `elsewhere`. */
  async replace(role: Role, n = 0, { elsewhere = false } = {}): Promise<void> {
    const member = this.#of(role, n);
    await member.product.end('SIGKILL');
    member.product = elsewhere ? this.#deployment.start(role) : this.#deployment.startAgain(member.product);
  }

  /** Adds a process. */
  add(role: Role): void {
    this.#members.push({ role, product: this.#deployment.start(role) });
  }

  /** Kills the n-th process of a role for good. */
  async remove(role: Role, n = 0): Promise<void> {
    const member = this.#of(role, n);
    this.#members.splice(this.#members.indexOf(member), 1);
    await member.product.end('SIGKILL');
  }

  count(role: Role): number {
    return this.#members.filter((member) => member.role === role).length;
  }

  send(signal: NodeJS.Signals, role: Role, n = 0): void {
    this.#of(role, n).product.send(signal);
  }

  /** What has ended although nobody ended it, with the end of what it wrote. */
  ended(): string[] {
    return this.#members
      .filter(({ product }) => product.hasEnded)
      .map(({ role, product }) => `${role} has ended: ${product.stderr}`);
  }

  /** What all of them wrote last, for the message of a failing test. */
  stderr(): string {
    return this.#members.map(({ role, product }) => `${role}: ${product.stderr}`).join('\n');
  }

  #of(role: Role, n = 0): Member {
    const member = this.#members.filter((each) => each.role === role)[n];
    if (!member) throw new Error(`There is no process ${n} with the role ${role}.`);
    return member;
  }
}
