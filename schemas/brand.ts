declare const brand: unique symbol;

/** A primitive with a name of its own in the type system, so that an identity never crosses a port as a plain string. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };
