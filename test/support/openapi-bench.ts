import type { FastifyPluginAsync } from 'fastify';
import type { HookIntake } from '../../connectors/webhook/hook-intake.ts';
import { webhookRoutes } from '../../connectors/webhook/webhook-routes.ts';
import { systemClock } from '../../runtime/clock.ts';
import { createMetrics } from '../../runtime/metrics.ts';
import { QUERY_CONFIG, queryBench } from './query-api.ts';

/** As much of an OpenAPI document as tests look at. */
export interface OpenApiDocument {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, OpenApiOperation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}

export interface OpenApiOperation {
  readonly operationId?: string;
  readonly summary?: string;
  readonly security?: readonly object[];
  readonly tags?: readonly string[];
  readonly parameters?: readonly {
    readonly in: 'path' | 'query';
    readonly name: string;
    readonly required?: boolean;
  }[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>;
}

type Content = Readonly<Record<string, { readonly schema: object }>>;

/** The OpenAPI document of a server with every route there is: a webhook source brings one of its own. */
export async function openapiDocument(): Promise<OpenApiDocument> {
  await using bench = queryBench({ plugins: [hookRoutes()] });
  return (await bench.app.inject('/openapi.json')).json<OpenApiDocument>();
}

function hookRoutes(): FastifyPluginAsync {
  const config = QUERY_CONFIG.sources.find(({ kind }) => kind === 'webhook');
  const intake = { source: 'crm', config, open: async () => undefined } as unknown as HookIntake;
  return webhookRoutes({ intakes: [intake], clock: systemClock, metrics: createMetrics() });
}
