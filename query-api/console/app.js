// The console: asks, changes, watches.

import { startAsking } from './ask.js';
import { startComparing } from './compare.js';
import { watch } from './live.js';
import { editButton, refreshRows, startEditing } from './rows.js';

startAsking(editButton);
startComparing();
// A server that is away is told by the watch, which also reads the rows as soon as it is back.
await startEditing().catch(() => undefined);
void watch(refreshRows);
