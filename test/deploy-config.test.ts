import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseConfig } from '../runtime/config/load-config.ts';
import { root } from './support/source-files.ts';

test('the config of docker-compose.yml is a valid cluster config', () => {
  const env = {
    FRESHET_API_KEY: 'a-key-of-some-length',
    HELPDESK_URL: 'postgres://freshet@postgres/helpdesk',
    FRESHET_GENERATOR: 'tgi',
    CRM_SECRET: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  };
  const config = parseConfig(
    readFileSync(join(root, 'deploy/freshet.cluster.yaml'), 'utf8'),
    env,
    'freshet.cluster.yaml',
  );
  expect(config.cluster?.elasticsearch).toMatchObject({ shards: 3, replicas: 1 });
  expect(config.generator).toMatchObject({ kind: 'tgi', lastResort: 'extractive' });
  expect(config.sources.map(({ kind }) => kind)).toEqual(['debezium', 'webhook']);
});
