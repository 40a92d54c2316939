import pino from 'pino';

/** Log fields: bounded values, never text of documents, never secrets. */
export interface LogFields {
  readonly [field: string]: string | number | boolean | bigint | undefined | null | Error;
}

/** Levels by consequence: error = data lost or an operator must act; warn = recovered, nothing lost; info = start, stop, rebalance; debug per batch. */
export interface Logger {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  child(fields: LogFields): Logger;
}

/** Logs go to stderr as JSON lines, so that stdout holds only what a command was asked for. */
export function createLogger(
  level: string,
  destination: { write(line: string): void } = pino.destination({ dest: 2, sync: true }),
): Logger {
  const root = pino(
    {
      level,
      base: null,
      messageKey: 'message',
      formatters: { level: (label) => ({ level: label }) },
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    destination,
  );
  return wrap(root);
}

function wrap(logger: pino.Logger): Logger {
  const at = (level: 'error' | 'warn' | 'info' | 'debug') => (message: string, fields?: LogFields) =>
    logger[level](plain(fields), message);
  return {
    error: at('error'),
    warn: at('warn'),
    info: at('info'),
    debug: at('debug'),
    child: (fields) => wrap(logger.child(plain(fields))),
  };
}

/** Errors become code and message; bigints become text, because JSON has neither. */
function plain(fields: LogFields = {}): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value instanceof Error)
      out[name] = { name: value.name, code: (value as { code?: unknown }).code, message: value.message };
    else out[name] = typeof value === 'bigint' ? value.toString() : value;
  }
  return out;
}

const nothing = (): void => undefined;

/** For tests that do not look at logs. */
export const silentLogger: Logger = {
  error: nothing,
  warn: nothing,
  info: nothing,
  debug: nothing,
  child: () => silentLogger,
};
