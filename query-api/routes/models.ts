import Type from 'typebox';
import { NotFound } from '../../runtime/errors.ts';
import { CHAT_MODEL, ChatError, ChatModel, ChatModelList } from '../../schemas/chat.ts';
import { chatErrors } from '../chat/chat-error.ts';
import type { RouteGroup } from '../deps.ts';

const Params = Type.Object({ model: Type.String() });

/** GET /v1/models and /v1/models/<id>: what a chat page offers to choose from. */
export const modelRoutes: RouteGroup = (app, deps) => {
  const created = Math.floor(deps.clock.now() / 1_000);
  const model: ChatModel = { id: CHAT_MODEL, object: 'model', created, owned_by: 'freshet' };
  const errorHandler = chatErrors(deps);
  app.get(
    '/v1/models',
    {
      errorHandler,
      schema: {
        summary: 'The model that answers, as the API of OpenAI lists it',
        tags: ['chat'],
        response: { 200: ChatModelList, 401: ChatError },
      },
    },
    async (): Promise<ChatModelList> => ({ object: 'list', data: [model] }),
  );
  app.get<{ Params: Type.Static<typeof Params> }>(
    '/v1/models/:model',
    {
      errorHandler,
      schema: {
        summary: 'One model, as the API of OpenAI shows it',
        tags: ['chat'],
        params: Params,
        response: { 200: ChatModel, 401: ChatError, 404: ChatError },
      },
    },
    async (request): Promise<ChatModel> => {
      if (request.params.model !== CHAT_MODEL) throw new NotFound(`There is one model: ${CHAT_MODEL}.`);
      return model;
    },
  );
};
