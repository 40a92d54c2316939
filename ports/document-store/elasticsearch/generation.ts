import { errors } from '@elastic/elasticsearch';
import { InvalidConfig, ModelMismatch, StorageFailed } from '../../../runtime/errors.ts';
import { classifyFailure, errorTypes, type ErrorBody } from './classify.ts';
import type { Connection } from './connection.ts';
import { INDEX_FORMAT, indexBody, type IndexShape } from './index-mapping.ts';

/** Where a generation lies. */
export interface GenerationNames {
  /** The index: `<alias>-<model fingerprint>-<chunker>-<n>`. */
  readonly generation: string;
  readonly alias: string;
}

/** How well an index and its cluster are. */
export interface IndexHealth {
  /** yellow: a replica is missing, everything works; red: a part of the index cannot be reached. */
  readonly status: 'green' | 'yellow' | 'red';
  readonly nodes: number;
  readonly unassignedShards: number;
}

/** Makes a generation, checks that it fits, and moves the alias. Every step may be repeated. */
export class Generation {
  readonly #connection: Connection;
  readonly #names: GenerationNames;
  readonly #shape: IndexShape;

  constructor(connection: Connection, names: GenerationNames, shape: IndexShape) {
    const { generation, alias } = names;
    // Elasticsearch's rules for names; also what makes them safe in a path.
    if (
      ![generation, alias].every((name) => /^[a-z0-9][a-z0-9._-]{0,254}$/.test(name)) ||
      !generation.startsWith(`${alias}-`)
    )
      throw new InvalidConfig(
        `The generation "${generation}" must be the alias "${alias}", a hyphen and a name, of lower-case letters, digits, ".", "_" and "-".`,
      );
    this.#connection = connection;
    this.#names = names;
    this.#shape = shape;
  }

  /**
   * Creates the index when it is not there, and checks that it is of this format and model.
   * @throws ModelMismatch, InvalidConfig for an analyzer that the cluster lacks, StorageFailed for another format.
   */
  async prepare(signal?: AbortSignal): Promise<void> {
    await this.#forbidAutoCreation(signal);
    await this.#create(signal);
    await this.#check(signal);
  }

  /** Points the alias to this generation where it points to none. */
  async claimAlias(signal?: AbortSignal): Promise<void> {
    const { alias } = this.#names;
    const { found } = await this.#lookUp(`/_alias/${alias}`, signal);
    if (!found) await this.promote(signal);
  }

  /** Points the alias to this generation and to no other, in one step. */
  async promote(signal?: AbortSignal): Promise<void> {
    const { alias, generation: index } = this.#names;
    const others = { remove: { index: `${alias}-*`, alias, must_exist: false } };
    const actions = [others, { add: { index, alias } }];
    await this.#connection.repeatable(
      'move the alias',
      { method: 'POST', path: '/_aliases', body: { actions } },
      signal,
    );
  }

  /** Removes the index and everything in it. */
  async retire(signal?: AbortSignal): Promise<void> {
    const { generation } = this.#names;
    const request = { method: 'DELETE', path: `/${generation}`, query: { ignore_unavailable: true } } as const;
    await this.#connection.repeatable('remove the index', request, signal);
  }

  /** @throws StoreUnavailable when nothing answers. */
  async health(signal?: AbortSignal): Promise<IndexHealth> {
    const reply = await this.#connection.once<{
      readonly status: IndexHealth['status'];
      readonly number_of_nodes: number;
      readonly unassigned_shards: number;
    }>({ method: 'GET', path: `/_cluster/health/${this.#names.generation}`, query: { timeout: '2s' } }, signal);
    return { status: reply.status, nodes: reply.number_of_nodes, unassignedShards: reply.unassigned_shards };
  }

  /** A write to an index that was removed must fail, not make one without a mapping. */
  async #forbidAutoCreation(signal?: AbortSignal): Promise<void> {
    const { alias } = this.#names;
    const { found } = await this.#lookUp(`/_index_template/${alias}`, signal);
    if (found) return;
    const body = { index_patterns: [`${alias}-*`], allow_auto_create: false, priority: 500 };
    const request = { method: 'PUT', path: `/_index_template/${alias}`, body } as const;
    await this.#connection.repeatable('create the index template', request, signal);
  }

  async #create(signal?: AbortSignal): Promise<void> {
    const { generation } = this.#names;
    const { found } = await this.#lookUp(`/${generation}`, signal);
    if (found) return;
    try {
      await this.#connection.repeatable(
        'create the index',
        { method: 'PUT', path: `/${generation}`, query: { timeout: '30s' }, body: indexBody(this.#shape) },
        signal,
      );
    } catch (error) {
      const body = replyOf(error)?.error;
      if (errorTypes(body).includes('resource_already_exists_exception')) return;
      if (/analyzer/i.test(body?.reason ?? ''))
        throw new InvalidConfig(
          `Elasticsearch has no analyzer "${this.#shape.analyzer}": install its plugin, or set elasticsearch.analyzer to one that it has, such as standard.`,
          { cause: error },
        );
      throw error;
    }
  }

  async #check(signal?: AbortSignal): Promise<void> {
    const { generation } = this.#names;
    const { reply } = await this.#lookUp(`/${generation}/_mapping`, signal);
    const mapping = (reply as Record<string, { mappings: FoundMapping }> | undefined)?.[generation]?.mappings;
    if (mapping?._meta?.freshetFormat !== INDEX_FORMAT)
      throw new StorageFailed(
        `The index ${generation} has format ${mapping?._meta?.freshetFormat ?? 'unknown'}, this version of freshet reads ${INDEX_FORMAT}: remove it, it is built again from the log.`,
      );
    const { dims } = mapping.properties?.passages?.properties?.vector ?? {};
    if (dims !== this.#shape.dimensions)
      throw new ModelMismatch(
        `The index ${generation} holds vectors of ${dims} dimensions, the model makes ${this.#shape.dimensions}: use the model that the index was built with, or a new generation.`,
      );
  }

  async #lookUp(path: string, signal?: AbortSignal): Promise<{ readonly found: boolean; readonly reply?: unknown }> {
    try {
      return {
        found: true,
        reply: await this.#connection.repeatable('look up the index', { method: 'GET', path }, signal),
      };
    } catch (error) {
      if (replyOf(error)?.status === 404) return { found: false };
      throw error;
    }
  }
}

interface FoundMapping {
  readonly _meta?: { readonly freshetFormat?: number };
  readonly properties?: {
    readonly passages?: { readonly properties?: { readonly vector?: { readonly dims?: number } } };
  };
}

/** What Elasticsearch answered, of an error of ours. */
function replyOf(error: unknown): { readonly status: number; readonly error?: ErrorBody } | undefined {
  const cause = (error as Error).cause;
  if (!(cause instanceof errors.ResponseError)) return undefined;
  const body = cause.body as { readonly error?: ErrorBody } | undefined;
  return { status: cause.statusCode ?? 0, ...(body?.error && { error: body.error }) };
}

/** The generation that an alias points to; undefined when there is none. */
export async function aliasedGeneration(
  connection: Connection,
  alias: string,
  signal?: AbortSignal,
): Promise<string | undefined> {
  try {
    const request = { method: 'GET', path: `/_alias/${alias}` } as const;
    return Object.keys(await connection.repeatable<object>('look up the alias', request, signal))
      .toSorted()
      .at(-1);
  } catch (error) {
    if (replyOf(error)?.status === 404) return undefined;
    throw classifyFailure(error, signal);
  }
}
