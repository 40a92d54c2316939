import Type from 'typebox';
import { BodyFormat, MetadataValue } from './document.ts';

/** The document of an upsert, as a sender states it. */
export const WebhookDocument = Type.Object(
  {
    title: Type.Optional(Type.String()),
    body: Type.String(),
    bodyFormat: Type.Optional(BodyFormat),
    tenant: Type.Optional(Type.String({ minLength: 1 })),
    acl: Type.Optional(Type.Union([Type.Array(Type.String()), Type.Null()])),
    metadata: Type.Optional(Type.Record(Type.String(), MetadataValue, { additionalProperties: false })),
  },
  { additionalProperties: false },
);

/** One event of a webhook. `version` orders events of one key; without it the order of arrival counts. */
export const WebhookEvent = Type.Object(
  {
    id: Type.String({ minLength: 1, maxLength: 512 }),
    type: Type.Union([Type.Literal('upsert'), Type.Literal('delete')]),
    collection: Type.String({ minLength: 1, maxLength: 512 }),
    key: Type.Union([Type.String({ minLength: 1, maxLength: 2048 }), Type.Integer()]),
    version: Type.Optional(Type.Union([Type.String({ pattern: '^[0-9]{1,17}$' }), Type.Integer({ minimum: 0 })])),
    document: Type.Optional(WebhookDocument),
  },
  { additionalProperties: false },
);
export type WebhookEvent = Type.Static<typeof WebhookEvent>;

/** Body of POST /v1/hooks/<source>: one event, or up to 1,000 that are taken together or not at all. */
export const WebhookBody = Type.Union([
  WebhookEvent,
  Type.Object({ events: Type.Array(WebhookEvent, { minItems: 1, maxItems: 1000 }) }, { additionalProperties: false }),
]);

/** What the webhook connector appends to `freshet.hooks.<source>`: the event with its place in the order of arrival. */
export const HookRecord = Type.Object({
  source: Type.String(),
  event: WebhookEvent,
  receivedAt: Type.Number({ description: 'ms since the epoch' }),
  version: Type.String({
    description: "Decimal SourceVersion: the sender's version where it states one, else the time and order of arrival.",
  }),
  position: Type.String({ description: 'What the 202 answered: waits for this event.' }),
});
export type HookRecord = Type.Static<typeof HookRecord>;
