/** Attributes of an element; numbers are rounded to a tenth of a pixel. */
type Attributes = Readonly<Record<string, string | number | undefined>>;

/** An SVG or HTML element as text. Children are markup already; attribute values are escaped. */
export function element(name: string, attributes: Attributes, ...children: readonly string[]): string {
  const written = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(
      ([key, value]) => ` ${key}="${escapeMarkup(typeof value === 'number' ? String(round(value)) : (value ?? ''))}"`,
    )
    .join('');
  return children.length === 0 ? `<${name}${written}/>` : `<${name}${written}>${children.join('')}</${name}>`;
}

/** A text that may stand between tags and in a quoted attribute. */
export function escapeMarkup(text: string): string {
  const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return text.replace(/[&<>"]/g, (char) => entities[char] ?? char);
}

/** Maps values to pixels, linearly. */
export function scale(domain: readonly [number, number], range: readonly [number, number]): (value: number) => number {
  const factor = (range[1] - range[0]) / (domain[1] - domain[0]);
  return (value) => range[0] + (value - domain[0]) * factor;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
