/** Who asks. Groups are names inside the tenant; a document with an ACL is readable by a member of any group it lists. */
export interface Principal {
  readonly tenant: string;
  readonly groups: readonly string[];
  readonly subject?: string;
}

/** Members of this group may operate: failures, explain, counts of all tenants. */
export const ADMIN_GROUP = 'freshet-admin';
