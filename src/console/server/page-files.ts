/**
 * The files of the page, read once into memory when the console starts: what is served is exactly this list, so no path of a
 * request ever reaches the file system. The build puts them into `dist/console/page`.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { extname } from 'node:path'

export interface PageFile {
  readonly type: string
  readonly body: Uint8Array
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
}

/** By the path of the request; the page itself is `/`. Empty when the folder is not there: the endpoints work without. */
export function readPageFiles(folder: URL): ReadonlyMap<string, PageFile> {
  const files = new Map<string, PageFile>()
  for (const name of namesIn(folder)) {
    const type = TYPES[extname(name)]
    if (type !== undefined) {
      files.set(name === 'index.html' ? '/' : `/${name}`, { type, body: readFileSync(new URL(name, folder)) })
    }
  }
  return files
}

function namesIn(folder: URL): readonly string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
