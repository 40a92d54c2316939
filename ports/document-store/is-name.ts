/**
 * Whether a text can be told from every other one once it is stored. UTF-8 has no lone surrogates (in `u` mode a surrogate is matched
 * only where it stands alone), and SQLite's binding cuts text at a NUL: `staff\0` would become `staff`.
 */
export function isName(text: string): boolean {
  return !/[\0\p{Surrogate}]/u.test(text);
}
