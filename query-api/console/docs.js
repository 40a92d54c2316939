// Renders /openapi.json: one card a route, with the schemas of its body and reply.

const main = document.getElementById('routes');

const element = (name, className, text) => {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
};

/** The schema with what it refers to in the place of the references; the document has no cycle. */
function resolved(schema, schemas) {
  if (Array.isArray(schema)) return schema.map((part) => resolved(part, schemas));
  if (schema === null || typeof schema !== 'object') return schema;
  const name = /^#\/components\/schemas\/(\w+)$/.exec(schema.$ref)?.[1];
  if (name) return resolved(schemas[name], schemas);
  return Object.fromEntries(Object.entries(schema).map(([key, part]) => [key, resolved(part, schemas)]));
}

function schemaBlock(title, schema) {
  const details = element('details');
  details.append(element('summary', '', title), element('pre', '', JSON.stringify(schema, null, 2)));
  return details;
}

function routeCard(path, method, operation) {
  const card = element('article', 'card route');
  const head = element('div');
  head.append(element('code', '', `${method.toUpperCase()} ${path}`));
  card.append(head);
  if (operation.summary) card.append(element('div', '', operation.summary));
  if (operation.description) card.append(element('div', 'note', operation.description));
  if (operation.parameters) card.append(schemaBlock('Parameters', operation.parameters));
  const body = operation.requestBody?.content?.['application/json']?.schema;
  if (body) card.append(schemaBlock('Body', body));
  const problems = [];
  for (const [status, response] of Object.entries(operation.responses ?? {})) {
    for (const [type, { schema }] of Object.entries(response.content ?? {})) {
      const isProblem = Number(status) >= 400 && (schema.properties?.code || schema.properties?.error);
      if (isProblem) problems.push(status);
      else if (status === 'default') continue;
      else
        card.append(schemaBlock(type === 'text/event-stream' ? 'Each event of a stream' : `Reply ${status}`, schema));
    }
  }
  if (problems.length > 0) card.append(element('div', 'note', `Problems: ${problems.join(', ')}`));
  return card;
}

async function render() {
  const { paths: unresolved, tags, components } = await (await fetch('/openapi.json')).json();
  const paths = resolved(unresolved, components.schemas);
  const routes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  main.replaceChildren(
    ...tags.flatMap(({ name, description }) => [
      element('h2', '', description ?? name),
      ...routes
        .filter(({ operation }) => operation.tags?.includes(name))
        .map(({ path, method, operation }) => routeCard(path, method, operation)),
    ]),
  );
}

try {
  await render();
} catch (error) {
  main.replaceChildren(element('p', 'note', String(error)));
}
