import { closeSync, existsSync, openSync, readFileSync, truncateSync, writeSync } from 'node:fs';

/**
 * What makes a stand-in survive a kill -9: every effect is appended as one JSON line before its answer
 * leaves, and replayed in order at the next start. A last line cut short was never answered, and is dropped.
 * Without a path nothing is kept (tests).
 */
export class Journal<Entry extends { at: number }> {
  readonly #descriptor: number | null;
  readonly #replay: Entry[];

  constructor(path: string | null) {
    this.#replay = [];
    if (path === null) {
      this.#descriptor = null;
      return;
    }
    if (existsSync(path)) {
      const text = readFileSync(path, 'utf8');
      const end = text.lastIndexOf('\n') + 1;
      if (end < text.length) truncateSync(path, Buffer.byteLength(text.slice(0, end)));
      for (const line of text.slice(0, end).split('\n')) {
        if (line !== '') this.#replay.push(JSON.parse(line) as Entry);
      }
    }
    this.#descriptor = openSync(path, 'a');
  }

  /** Entries of earlier runs, oldest first; handed out once. */
  takeReplay(): Entry[] {
    return this.#replay.splice(0);
  }

  append(entry: Entry): void {
    if (this.#descriptor !== null) writeSync(this.#descriptor, `${JSON.stringify(entry)}\n`);
  }

  close(): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor);
  }
}
