import { fastify } from 'fastify';

/* What a webhook receiver could be at most: Fastify that parses the body and answers. Ends when its standard input does. */
const app = fastify();
app.post('/', (_, reply) => reply.code(202).send({ accepted: 1 }));
const url = await app.listen({ host: '127.0.0.1', port: 0 });
process.stdout.write(`${JSON.stringify({ url })}\n`);
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
