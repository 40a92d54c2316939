import { join } from 'node:path';
import { expect, test } from 'vitest';
import { clientTypes } from './support/client-types.ts';
import { openapiDocument } from './support/openapi-bench.ts';
import { root } from './support/source-files.ts';

// `npm run client` writes the file with this very test; without that flag a difference is a failure.
test('query-api/client/api-types.ts is what /openapi.json says', async () => {
  const types = await clientTypes(await openapiDocument());
  await expect(types).toMatchFileSnapshot(join(root, 'query-api/client/api-types.ts'));
});
