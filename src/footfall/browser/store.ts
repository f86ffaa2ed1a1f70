/**
 * What the script keeps in the browser, every name of which begins with `footfall:`.
 *
 * Decides where. In the page's memory until `persist` allows localStorage, and wherever that is
 * refused or full; memory is looked at first. The decision on consent is the one thing that is
 * always kept: without it the visitor would be asked, or followed, again. Must never throw.
 */
export const PREFIX = "footfall:";
export const CONSENT = "consent";

export class Store {
  private memory = new Map<string, string>();
  private disk: Storage | undefined;

  /** From now on in localStorage, and what is in memory goes there. */
  persist(): void {
    this.disk = localStorageOrNone();
    for (const [name, value] of [...this.memory]) this.set(name, value);
  }

  /** From now on in memory only; localStorage has nothing left but the decision on consent. */
  recall(): void {
    this.disk = localStorageOrNone();
    const kept = this.names("").map((name) => [name, this.get(name) ?? ""] as const);
    for (const [name, value] of kept) {
      if (name === CONSENT) continue;
      this.remove(name);
      this.memory.set(name, value);
    }
    this.disk = undefined;
  }

  /** Nothing is held any more but that. */
  forget(): void {
    this.recall();
    for (const name of [...this.memory.keys()]) if (name !== CONSENT) this.memory.delete(name);
  }

  /** Whether other tabs of the site see it too. */
  get isShared(): boolean {
    return this.disk !== undefined;
  }

  /** Whether all of it outlives the page. */
  get isKept(): boolean {
    return this.isShared && this.memory.size === 0;
  }

  get(name: string): string | undefined {
    return this.memory.get(name) ?? attempt(() => this.diskOf(name)?.getItem(PREFIX + name) ?? undefined);
  }

  set(name: string, value: string): void {
    const isWritten = attempt(() => {
      const disk = this.diskOf(name);
      disk?.setItem(PREFIX + name, value);
      return disk !== undefined;
    });
    if (isWritten) this.memory.delete(name);
    else this.memory.set(name, value);
  }

  remove(name: string): void {
    this.memory.delete(name);
    attempt(() => this.diskOf(name)?.removeItem(PREFIX + name));
  }

  /** All names that begin so, in order. */
  names(beginning: string): string[] {
    const found = new Set(this.memory.keys());
    attempt(() => {
      for (const key of Object.keys(this.disk ?? {})) {
        if (key.startsWith(PREFIX)) found.add(key.slice(PREFIX.length));
      }
    });
    return [...found].filter((name) => name.startsWith(beginning)).sort();
  }

  private diskOf(name: string): Storage | undefined {
    return name === CONSENT ? localStorageOrNone() : this.disk;
  }
}

/** Asking for it throws where the browser blocks it. */
function localStorageOrNone(): Storage | undefined {
  return attempt(() => window.localStorage ?? undefined);
}

function attempt<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}
