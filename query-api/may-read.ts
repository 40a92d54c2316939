import type { Principal } from '../schemas/principal.ts';

/**
 * Whether a caller may see a document: the tenant is the caller's own, and the ACL names one of the caller's groups or is null
 * (every member of the tenant). An empty ACL is readable by nobody.
 */
export function mayRead(
  principal: Principal,
  document: { readonly tenant: string; readonly acl: readonly string[] | null },
): boolean {
  if (document.tenant !== principal.tenant) return false;
  return document.acl === null || document.acl.some((group) => principal.groups.includes(group));
}
