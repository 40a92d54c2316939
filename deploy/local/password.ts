import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A password made up once per folder: whoever else is on the machine reaches the port too. */
export async function passwordOf(dir: string): Promise<string> {
  const file = join(dir, 'password');
  if (!existsSync(file)) await writeFile(file, randomBytes(18).toString('hex'), { mode: 0o600 });
  return readFile(file, 'utf8');
}
