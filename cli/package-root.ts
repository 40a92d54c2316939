import { existsSync } from 'node:fs';

/** The folder of the installed package, as a URL that ends with `/`: the nearest one above this file that has a package.json. */
export function packageRoot(from: string = import.meta.url): URL {
  let folder = new URL('.', from);
  while (!existsSync(new URL('package.json', folder))) {
    const parent = new URL('..', folder);
    if (parent.href === folder.href)
      throw new Error('the package is not installed as a whole: no package.json above it');
    folder = parent;
  }
  return folder;
}
