import type { ConfigFile, SourceConfig } from './config.ts';

/** A fault between keys that each are well-formed; `path` says where it is shown. */
export interface CrossFault {
  readonly path: string;
  readonly problem: string;
}

/**
 * A config in which every well-formed key is present. Faulty ones are missing, so that the checks between keys still find what they
 * can in the same run.
 */
export type PartialConfig = {
  readonly [K in keyof ConfigFile]?: K extends 'sources' ? readonly (SourceConfig | undefined)[] : ConfigFile[K];
};

/** The URL that a text is; undefined when it is none. */
export function parseUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}
