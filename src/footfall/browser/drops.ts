/**
 * What is dropped, and who is told: every item is counted with its reason and given to those who
 * asked by `on("error")`. Where nobody asked, each reason stands once on the console; nothing that
 * was sent does.
 */
export interface Dropped {
  reason: string;
  detail: string;
}

export type Listener = (error: Dropped, items: unknown[]) => void;

export class Drops {
  readonly counts: Record<string, number> = {};
  private listeners: Listener[] = [];

  listen(listener: Listener): void {
    this.listeners.push(listener);
  }

  tell(reason: string, detail: string, items: unknown[]): void {
    const before = this.counts[reason] ?? 0;
    this.counts[reason] = before + items.length;
    if (!this.listeners.length && !before) console.warn(`footfall: dropped, ${reason}: ${detail}`);
    for (const listener of this.listeners) {
      try {
        listener({ reason, detail }, items);
      } catch (error) {
        console.error(error);
      }
    }
  }
}
