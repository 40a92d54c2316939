/** Where a verb writes. With `--json` stdout gets exactly one JSON value; everything else goes to stderr. */
export interface Output {
  readonly isJson: boolean;
  /** Whether stderr is a terminal that a progress bar can be drawn on. */
  readonly isTerminal: boolean;
  /** The verb's result, once: as JSON, or as the lines that `toLines` makes of it. */
  result<T>(value: T, toLines: (value: T) => readonly string[]): void;
  /** A line for people while the verb works; on stderr with `--json`. */
  say(line: string): void;
  /** A line about something wrong, always on stderr. */
  warn(line: string): void;
}

/** The streams of a process, as far as output needs them. */
export interface Streams {
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  readonly isTerminal: boolean;
}

export function createOutput(streams: Streams, isJson: boolean): Output {
  const line = (text: string) => `${withoutControls(text)}\n`;
  return {
    isJson,
    isTerminal: streams.isTerminal,
    result: (value, toLines) => {
      if (isJson) streams.stdout(`${JSON.stringify(value, bigintsAsText, 2)}\n`);
      else for (const text of toLines(value)) streams.stdout(line(text));
    },
    say: (text) => (isJson ? streams.stderr : streams.stdout)(line(text)),
    warn: (text) => streams.stderr(line(text)),
  };
}

function bigintsAsText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}

/** Text of documents reaches the terminal: escape sequences in it must not move the cursor or set the title (S08). */
export function withoutControls(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return text.replace(/[\u0000-\u0008\u000B-\u001F\u007F-\u009F]/g, '');
}

/** Rows as aligned columns, two spaces apart; numbers to the right. The first row is the heading. */
export function table(rows: readonly (readonly (string | number)[])[]): readonly string[] {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => String(row[column] ?? '').length)),
  );
  const isNumeric = widths.map((_, column) =>
    rows.slice(1).every((row) => /^[\d.,]*( \S+)?$/.test(String(row[column] ?? ''))),
  );
  return rows.map((row) =>
    widths
      .map((width, column) => {
        const cell = String(row[column] ?? '');
        return isNumeric[column] ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd(),
  );
}
