import Type from 'typebox';

/*
 * The forms of values that config tables are made of. `secret: true` marks values that never print, `secret: 'url'` URLs whose
 * password never prints.
 */

/** A text that is not empty. */
export const text = (description: string, options: object = {}) =>
  Type.String({ description, minLength: 1, ...options });

/** A whole number from `minimum` to `maximum`; its unit is the end of its key. */
export const integer = (description: string, value: number, minimum: number, maximum: number) =>
  Type.Integer({ description, default: value, minimum, maximum });

/** A number from `minimum` to `maximum` that need not be whole; `value` is its default, if it has one. */
export const number = (description: string, value: number | undefined, minimum: number, maximum: number) =>
  Type.Number({ description, ...(value !== undefined && { default: value }), minimum, maximum });

/** A value that never prints. */
export const secret = (description: string) => Type.String({ description, minLength: 1, secret: true });

/** A URL whose password never prints. */
export const secretUrl = (description: string) => text(description, { secret: 'url' });

/** No other keys. */
export const closed = { additionalProperties: false } as const;
