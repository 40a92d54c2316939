import { describe, expect, test } from 'vitest';
import { InvalidConfig } from '../errors.ts';
import { describeConfig } from './describe-config.ts';
import { parseConfig } from './load-config.ts';

const withGenerator = (generator: string, env: Record<string, string> = {}) =>
  parseConfig(
    `sources: [{ name: a, kind: webhook, signature: { scheme: standard-webhooks, secret: whsec_x } }]\ngenerator: ${generator}`,
    env,
    'freshet.yaml',
  );

function faultsOf(generator: string): readonly string[] {
  try {
    withGenerator(generator);
  } catch (error) {
    if (error instanceof InvalidConfig) return error.faults.map(({ path, problem }) => `${path}: ${problem}`);
    throw error;
  }
  return [];
}

describe('the generator in the config', () => {
  test('takes a server and those behind it, each with its own defaults', () => {
    const { generator } = withGenerator(
      '{ kind: openai, url: http://vllm:8000/v1, model: qwen, temperature: 0.3, promptPriceUsd: 0.15, fallbacks: [{ kind: tgi, url: http://tgi:8080, maxTokens: 99 }] }',
    );
    expect(generator).toMatchObject({
      kind: 'openai',
      temperature: 0.3,
      promptPriceUsd: 0.15,
      lastResort: 'extractive',
      fallbacks: [{ kind: 'tgi', url: 'http://tgi:8080', maxTokens: 99, timeoutMs: 15_000, temperature: 0 }],
    });
    expect(generator).not.toHaveProperty('completionPriceUsd');
  });

  test('names what a server lacks, wherever it stands', () => {
    expect(
      faultsOf('{ kind: openai, fallbacks: [{ kind: tgi }, { kind: openai, url: vllm:8000 }, { url: http://x }] }'),
    ).toEqual([
      'generator.url: missing; kind `openai` needs it',
      'generator.model: missing; kind `openai` needs it',
      'generator.fallbacks[0].url: missing; kind `tgi` needs it',
      'generator.fallbacks[1].model: missing; kind `openai` needs it',
      'generator.fallbacks[1].url: expected a URL that begins with http:// or https://',
      expect.stringMatching(/^generator\.fallbacks\[2\]\.kind: missing/),
    ]);
  });

  test('says which numbers are possible', () => {
    expect(faultsOf('{ temperature: 3, promptPriceUsd: cheap }')).toEqual([
      'generator.temperature: expected a number from 0 to 2; got 3',
      'generator.promptPriceUsd: expected a number from 0 to 100000; got "cheap"',
    ]);
  });

  test('fallbacks mean nothing without a model', () => {
    expect(faultsOf('{ fallbacks: [{ kind: tgi, url: http://x }] }')).toEqual([
      'generator.fallbacks: mean nothing to kind `extractive`, which needs no server',
    ]);
  });

  test('the kind and numbers may come from the environment, for one file with and without a model', () => {
    const text = '{ kind: ${KIND}, url: http://tgi:8080, temperature: ${HEAT} }';
    expect(withGenerator(text, { KIND: 'extractive', HEAT: '0.5' }).generator).toMatchObject({ temperature: 0.5 });
    expect(withGenerator(text, { KIND: 'tgi', HEAT: '0' }).generator.kind).toBe('tgi');
  });

  test('no key and no password prints', () => {
    const config = withGenerator(
      '{ kind: tgi, url: http://me:canary1@tgi:8080, apiKey: canary2, fallbacks: [{ kind: openai, model: m, url: http://a:canary3@b/v1, apiKey: canary4 }] }',
    );
    expect(describeConfig(config)).not.toContain('canary');
    expect(describeConfig(config)).toContain('http://me:***@tgi:8080');
  });
});
