// Elements and words. Text of documents reaches the page through textContent only: nothing in it can become markup.

export const byId = (id) => document.getElementById(id);

export const isDemo = 'demo' in document.documentElement.dataset;

export function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

export function button(text, className, onClick, label) {
  const made = element('button', className, text);
  made.type = 'button';
  if (label) made.setAttribute('aria-label', label);
  made.addEventListener('click', onClick);
  return made;
}

/** A field with its label around it. */
export function field(label, name, value) {
  const made = element('label', '', label);
  const input = element(name);
  input.value = value;
  input.required = true;
  made.append(input);
  return { made, input };
}

/** Enter sends the form a field is in, Shift and Enter begin a line, as in a chat. */
export function submitOnEnter(input) {
  input.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    input.form.requestSubmit();
  });
}

export function age(at) {
  const s = Math.max(0, (Date.now() - at) / 1_000);
  if (s < 60) return `${Math.round(s)} s ago`;
  if (s < 3_600) return `${Math.round(s / 60)} min ago`;
  if (s < 86_400) return `${Math.round(s / 3_600)} h ago`;
  return new Date(at).toLocaleDateString();
}

export const clock = (at) => new Date(at).toLocaleTimeString();

export function millis(ms) {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  return `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`;
}
