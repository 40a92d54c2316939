/** How a request to a service failed. What to do about it is decided by who sent it. `reason` never holds text of documents. */
export type RequestFailure =
  /** The server is alive and wants less, or wants to be left alone for a time. */
  | { readonly kind: 'overloaded'; readonly reason: string; readonly retryAfterMs: number | undefined }
  /** No reply, a broken one or a failing server; the same request may be sent again. */
  | { readonly kind: 'failed'; readonly reason: string; readonly retryAfterMs: number | undefined }
  /** The server will not take these texts together, or one of them at all. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** The key, the address or the model's name is wrong; no text of any kind will be taken until an operator acts. */
  | { readonly kind: 'forbidden'; readonly reason: string }
  /** A reply that says it succeeded and does not hold what was asked for. */
  | { readonly kind: 'unusable'; readonly reason: string };
