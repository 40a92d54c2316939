import { getLoadablePath } from 'sqlite-vec';
import { StoreUnavailable } from '../../../runtime/errors.ts';
import { Sqlite } from '../../sqlite.ts';
import { createSchema, PAGE_BYTES } from './schema.ts';

/** Where the index lies and how long its vectors are. */
export interface IndexFile {
  /** A file, whose folder is created; or `:memory:`. */
  readonly path: string;
  /** Length of every vector. */
  readonly dimensions: number;
  /** Largest size of the file, bytes; a write that would exceed it is a StorageFailed. The disk is the limit when absent. */
  readonly maxBytes?: number;
}

/** What an operator does about a damaged file. */
export const REMEDY = 'Stop freshet and delete the folder of the index: it is built again from the log.';

/** A connection to the index, whose tables are there. @throws StorageFailed when the file is damaged, or of another format or model. */
export function openIndexFile({ path, dimensions, maxBytes }: IndexFile): Sqlite {
  const db = new Sqlite({
    path,
    pageBytes: PAGE_BYTES,
    ...(maxBytes !== undefined && { maxBytes }),
    remedy: REMEDY,
    busy: (message, cause) => new StoreUnavailable(message, cause),
  });
  db.loadExtension(getLoadablePath());
  createSchema(db, dimensions);
  return db;
}
