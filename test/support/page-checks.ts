/**
 * What every state of a page must keep, as an expression for the page: each field has a label, each button and link a name, ids are
 * unique, headings skip no level, text stands out from its ground (4.5 to 1, WCAG AA), nothing is wider than the window. Gives the
 * faults as sentences.
 */
export const pageFaults = `(() => {
  const faults = [];
  const seen = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  const all = (selector) => [...document.querySelectorAll(selector)].filter(seen);
  const text = (element) => (element.getAttribute('aria-label') ?? element.textContent).trim();
  for (const field of all('input, textarea, select'))
    if (!field.labels?.length && !field.getAttribute('aria-label')) faults.push('a field without a label: ' + field.outerHTML);
  for (const made of all('button, a[href], summary')) if (text(made) === '') faults.push('nameless: ' + made.outerHTML);
  for (const drawn of all('svg')) if (drawn.getAttribute('aria-hidden') !== 'true') faults.push('a drawing that is read aloud');
  const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) faults.push('two elements with the id ' + id);
  let level = 0;
  for (const heading of document.querySelectorAll('h1, h2, h3, h4, h5, h6')) {
    const own = Number(heading.tagName[1]);
    if (own > level + 1) faults.push('a heading skips a level: ' + heading.textContent);
    level = own;
  }
  const wide = document.documentElement.scrollWidth - innerWidth;
  if (wide > 0) faults.push('wider than the window by ' + wide + ' px');

  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data;
  };
  const luminance = ([r, g, b]) => {
    const part = (value) => ((value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const ground = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const colour = rgba(getComputedStyle(each).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  for (const element of all('body *')) {
    if (element.closest(':disabled, .hidden') || ![...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim())) continue;
    const [one, two] = [luminance(rgba(getComputedStyle(element).color)), luminance(ground(element))];
    const contrast = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
    if (contrast < 4.5) faults.push('contrast ' + contrast.toFixed(2) + ': ' + element.textContent.trim().slice(0, 40));
  }
  return faults;
})()`;
