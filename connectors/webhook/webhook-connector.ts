import type { FastifyPluginAsync } from 'fastify';
import type { Log } from '../../ports/log/log.ts';
import type { Clock, Random } from '../../runtime/clock.ts';
import type { ResolvedConfig, WebhookSourceConfig } from '../../runtime/config/config.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import type { Connector } from '../connector.ts';
import { HookIntake } from './hook-intake.ts';
import { webhookRoutes } from './webhook-routes.ts';

export interface WebhookConnectorOptions {
  readonly sources: readonly WebhookSourceConfig[];
  readonly config: Pick<ResolvedConfig, 'log'>;
  readonly log: Log;
  /** Partitions of each source's topic. */
  readonly partitions: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** The webhook sources of a config: a connector for each, and the routes that they are called at. */
export interface WebhookSources {
  readonly connectors: readonly Connector[];
  readonly routes: FastifyPluginAsync;
}

/** @throws SourceMisconfigured when a secret cannot be one. */
export function webhookConnector(options: WebhookConnectorOptions): WebhookSources {
  const { sources, config, log, partitions, clock, random, metrics, logger } = options;
  const { retentionMs } = config.log;
  const intakes = sources.map(
    (source) => new HookIntake({ config: source, log, partitions, retentionMs, clock, random, metrics, logger }),
  );
  return { connectors: intakes, routes: webhookRoutes({ intakes, clock, metrics }) };
}
