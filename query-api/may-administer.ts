import type { FastifyRequest } from 'fastify';
import type { ResolvedConfig } from '../runtime/config/config.ts';
import { Forbidden } from '../runtime/errors.ts';
import { ADMIN_GROUP } from '../schemas/principal.ts';
import { isLoopback } from './identity.ts';

/**
 * Whether the caller is an operator. With auth.mode none everyone on the machine is, but not every page that a browser on the machine
 * shows: a foreign Host (DNS rebinding) or a cross-site request makes it a stranger.
 */
export function isAdmin(request: FastifyRequest, { auth }: Pick<ResolvedConfig, 'auth'>): boolean {
  if (auth.mode !== 'none') return request.principal.groups.includes(ADMIN_GROUP);
  return isLoopback(request.hostname) && request.headers['sec-fetch-site'] !== 'cross-site';
}

/** @throws Forbidden */
export function requireAdmin(request: FastifyRequest, config: Pick<ResolvedConfig, 'auth'>): void {
  if (!isAdmin(request, config)) throw new Forbidden(`This is for members of the group ${ADMIN_GROUP}.`);
}
