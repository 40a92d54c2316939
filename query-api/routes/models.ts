import Type from 'typebox';
import { NotFound } from '../../runtime/errors.ts';
import { CHAT_MODEL, CHAT_MODEL_WITH_SOURCES, ChatError, ChatModel, ChatModelList } from '../../schemas/chat.ts';
import { chatErrors } from '../chat/chat-error.ts';
import type { RouteGroup } from '../deps.ts';

const Params = Type.Object({ model: Type.String() });

/** GET /v1/models and /v1/models/<id>: what a chat page offers to choose from. */
export const modelRoutes: RouteGroup = (app, deps) => {
  const created = Math.floor(deps.clock.now() / 1_000);
  const models = [CHAT_MODEL, CHAT_MODEL_WITH_SOURCES].map((id): ChatModel => {
    return { id, object: 'model', created, owned_by: 'freshet' };
  });
  const errorHandler = chatErrors(deps);
  app.get(
    '/v1/models',
    {
      errorHandler,
      schema: {
        operationId: 'listModels',
        summary: 'The models that answer, as the API of OpenAI lists it',
        tags: ['chat'],
        response: { 200: ChatModelList, 401: ChatError, default: ChatError },
      },
    },
    async (): Promise<ChatModelList> => ({ object: 'list', data: models }),
  );
  app.get<{ Params: Type.Static<typeof Params> }>(
    '/v1/models/:model',
    {
      errorHandler,
      schema: {
        operationId: 'readModel',
        summary: 'One model, as the API of OpenAI shows it',
        tags: ['chat'],
        params: Params,
        response: { 200: ChatModel, 401: ChatError, 404: ChatError, default: ChatError },
      },
    },
    async (request): Promise<ChatModel> => {
      const model = models.find(({ id }) => id === request.params.model);
      if (!model) throw new NotFound(`There are these models: ${models.map(({ id }) => id).join(', ')}.`);
      return model;
    },
  );
};
