import { confluentRegistry } from './confluent-registry.ts';
import { schemaRegistryConformance } from './schema-registry.conformance.ts';

schemaRegistryConformance('confluent', (url) => confluentRegistry({ url }));
