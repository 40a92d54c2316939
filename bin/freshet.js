#!/usr/bin/env node
import { existsSync } from 'node:fs';

const entry = new URL('../dist/cli/main.js', import.meta.url);
if (!existsSync(entry)) {
  console.error('freshet is not built yet: run `npm run build` in its folder (npm ci does it for you).');
  process.exit(2);
}
await import(entry.href);
