// Replaces dependencies that come as hundreds of small modules by one file each, in the compiled output only. Node opens, resolves
// and links every module by itself: typebox's 680 cost more of a start than everything else together (345 of 870 ms of CPU), and a
// process that was killed is away for as long.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';

// Packages in ECMAScript modules without dependencies: a CommonJS package would lose its named exports on the way.
const packages = ['typebox', 'jose'];
const imported = new RegExp(`(from |import\\()(['"])((?:${packages.join('|')})(?:/[\\w./-]+)?)\\2`, 'g');
const require = createRequire(import.meta.url);

/** Bundles below `<out>/vendor` and points the imports of `<out>` there. Without the bundler everything stays as it is, and works. */
export async function bundleDependencies(out) {
  const bundler = await import('rolldown').catch(() => undefined);
  if (!bundler) return;
  const files = readdirSync(out, { recursive: true })
    .filter((path) => path.endsWith('.js'))
    .map((path) => join(out, path));
  const texts = new Map(files.map((path) => [path, readFileSync(path, 'utf8')]));
  const names = new Set(
    [...texts.values()].flatMap((text) => [...text.matchAll(imported)].map(([, , , name]) => name)),
  );
  const vendor = join(out, 'vendor');
  // All in one build, so that what two entries share is there once: typebox keeps its settings in a module.
  const bundle = await bundler.rolldown({
    input: Object.fromEntries([...names].map((name) => [fileOf(name), name])),
    platform: 'node',
  });
  await bundle.write({ dir: vendor, format: 'esm', entryFileNames: '[name].js', chunkFileNames: 'shared-[hash].js' });
  await bundle.close();
  writeFileSync(join(vendor, 'LICENSES.txt'), packages.map(license).join('\n'));
  for (const [path, text] of texts) {
    const to = relative(dirname(path), vendor).replaceAll('\\', '/');
    const prefix = to.startsWith('.') ? to : `./${to}`;
    const linked = text.replaceAll(
      imported,
      (_, verb, quote, name) => `${verb}${quote}${prefix}/${fileOf(name)}.js${quote}`,
    );
    if (linked !== text) writeFileSync(path, linked);
  }
}

function fileOf(name) {
  return name.replaceAll('/', '-');
}

/** The licence of a package as it comes with it. */
function license(name) {
  let folder = dirname(require.resolve(name));
  while (
    !existsSync(join(folder, 'package.json')) ||
    JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).name !== name
  )
    folder = dirname(folder);
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  return `${name}\n\n${file ? readFileSync(join(folder, file), 'utf8') : ''}\n`;
}
