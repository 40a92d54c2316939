import { openForSuite } from './kafka-fixtures.ts';
import { logConformance } from './log.conformance.ts';

logConformance('kafka, by kafkajs', () => openForSuite('kafkajs'));

logConformance('kafka, by rdkafka', () => openForSuite('rdkafka'));
