/**
 * Items that wait to be sent, shared by all tabs of a site and by its next page.
 *
 * Each has an entry of its own in the store, named so that the oldest comes first: adding and
 * removing one can then never undo what another tab does. Full, it takes nothing new and keeps what
 * it has.
 */
import type { Store } from "./store";

const ITEMS_MAX = 1000;
const CHARS_MAX = 1_000_000;
const BATCH_ITEMS_MAX = 100;
/** Browsers let 64 KiB of requests outlive their page. */
const BATCH_BYTES_MAX = 60_000;
const BEGINNING = "item:";

export interface Waiting {
  name: string;
  json: string;
}

export class Queue {
  private added = 0;

  constructor(private store: Store) {}

  /** Its name; undefined where it is full. */
  add(messageId: string, json: string, now: number): string | undefined {
    const names = this.names();
    const chars = names.reduce((sum, name) => sum + (this.store.get(name) ?? "").length, 0);
    if (names.length >= ITEMS_MAX || chars + json.length > CHARS_MAX) return undefined;
    const order = now.toString(36).padStart(9, "0") + (this.added++).toString(36).padStart(5, "0");
    const name = `${BEGINNING}${order}:${messageId}`;
    this.store.set(name, json);
    return name;
  }

  /** The oldest of them, as many as go in one request. */
  batch(isWanted: (name: string) => boolean): Waiting[] {
    const batch: Waiting[] = [];
    let bytes = 0;
    for (const name of this.names()) {
      const json = isWanted(name) && this.store.get(name);
      if (!json) continue;
      bytes += bytesOf(json) + 1;
      if (batch.length && (bytes > BATCH_BYTES_MAX || batch.length === BATCH_ITEMS_MAX)) break;
      batch.push({ name, json });
    }
    return batch;
  }

  names(): string[] {
    return this.store.names(BEGINNING);
  }

  remove(name: string): void {
    this.store.remove(name);
  }
}

export function bytesOf(text: string): number {
  return new Blob([text]).size;
}
