/** Who asks. Groups are names inside the tenant; a document with an ACL is readable by a member of any group it lists. */
export interface Principal {
  readonly tenant: string;
  readonly groups: readonly string[];
  readonly subject?: string;
}
