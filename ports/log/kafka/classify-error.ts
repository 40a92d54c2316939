import { FreshetError, InvalidConfig, LogUnavailable, NotFound } from '../../../runtime/errors.ts';

/** What the errors of both clients have, where they have it. */
interface KafkaFault {
  readonly name?: string;
  readonly message?: string;
  /** kafkajs: the protocol's name of the error. */
  readonly type?: string;
  readonly code?: number | string;
  readonly cause?: unknown;
}

const REFUSED: ReadonlySet<string> = new Set([
  'TOPIC_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'SASL_AUTHENTICATION_FAILED',
  'ILLEGAL_SASL_STATE',
  'UNSUPPORTED_SASL_MECHANISM',
  'SECURITY_DISABLED',
  'INVALID_TOPIC_EXCEPTION',
  'INVALID_REPLICATION_FACTOR',
  'POLICY_VIOLATION',
  'INVALID_CONFIG',
  'INCONSISTENT_GROUP_PROTOCOL',
]);

/** The protocol's name of an error of kafkajs, out of whatever its retries wrapped around it; undefined for errors of the connection. */
export function faultType(error: unknown): string | undefined {
  for (let each = error, depth = 0; each && depth < 6; depth++) {
    const { type, cause } = each as KafkaFault;
    if (typeof type === 'string') return type;
    each = cause;
  }
  return undefined;
}

/**
 * Gives an error of a Kafka client a class of ours. Whatever is not known to be final may be repeated.
 * @param doing what failed, as a verb with its object.
 */
export function kafkaError(error: unknown, doing: string, brokers: readonly string[]): FreshetError {
  if (error instanceof FreshetError) return error;
  const type = faultType(error);
  const { name, message } = innermost(error);
  const options = { cause: error };
  if (type === 'UNKNOWN_TOPIC_OR_PARTITION') return new NotFound(`cannot ${doing}: there is no such topic`, options);
  if ((type !== undefined && REFUSED.has(type)) || name === 'KafkaJSSASLAuthenticationError')
    return new InvalidConfig(
      `cannot ${doing}: Kafka refuses it (${type ?? message}); check credentials, rights and topic settings`,
      options,
    );
  if (name === 'KafkaJSNotImplemented')
    return new InvalidConfig(
      `cannot ${doing}: a record needs what kafkajs lacks (${message}); have its producer write compression.type none or gzip`,
      options,
    );
  const where = `Kafka at ${brokers.join(', ')}`;
  return type === undefined
    ? new LogUnavailable(
        `cannot ${doing}: ${where} cannot be reached (${message}); check that it runs and the address`,
        options,
      )
    : new LogUnavailable(`cannot ${doing}: ${where} answered ${type}`, options);
}

function innermost(error: unknown): { readonly name: string; readonly message: string } {
  let each = error as KafkaFault;
  for (let depth = 0; each.cause instanceof Error && depth < 6; depth++) each = each.cause;
  return { name: each.name ?? 'Error', message: each.message ?? String(error) };
}
