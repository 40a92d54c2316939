import { startTeiStub, type TeiStubOptions } from './tei-stub.ts';

/*
 * The stub as a process of its own, so that load tests do not share a thread with it. Options are JSON in the first argument; prints one line
 * of JSON with its address, and ends when its standard input does.
 */
const options = JSON.parse(process.argv[2] ?? '{}') as TeiStubOptions;
const stub = await startTeiStub(options);
process.stdout.write(`${JSON.stringify({ url: stub.url })}\n`);
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
