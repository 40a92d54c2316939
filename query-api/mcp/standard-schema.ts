import type { StandardSchemaWithJSON } from '@modelcontextprotocol/server';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { schemaFaults } from '../../runtime/schema-faults.ts';

/**
 * A schema of ours as the protocol's package takes one: the same that checks the HTTP route, so no second description can drift from
 * it. Faults name places and forms, never what was sent.
 */
export function standardSchema(schema: TSchema): StandardSchemaWithJSON<unknown, unknown> {
  const compiled = Compile(schema);
  const json = () => schema as Record<string, unknown>;
  return {
    '~standard': {
      version: 1,
      vendor: 'typebox',
      validate: (value) =>
        compiled.Check(value)
          ? { value }
          : {
              issues: schemaFaults(compiled.Errors(value)).map(({ pointer, detail }) => ({
                message: `${pointer} ${detail}`,
              })),
            },
      jsonSchema: { input: json, output: json },
    },
  };
}
