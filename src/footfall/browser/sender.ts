/**
 * From the queue to the collector: one batch at a time, oldest first, by one tab of a site.
 *
 * No answer, 408, 429, 5xx and whatever no collector would answer: the same items with the same
 * messageIds again, after a random wait (full jitter), never before Retry-After is over. Any other
 * answer is final, for each item by itself. When the page is left, what it added itself goes out
 * by beacon; nobody hears the answer, so it stays in the queue, and the next page sends it again:
 * the collector knows it by its messageId.
 *
 * Every request is what browsers send without asking first (text/plain, no headers of ours): the
 * write key is in the body, and in no URL.
 */
import { alone, release, renew } from "./alone";
import type { Drops } from "./drops";
import type { Queue, Waiting } from "./queue";
import type { Store } from "./store";

const DELAY_MS = 500;
const BACKOFF_MS = 500;
const BACKOFF_MS_MAX = 30_000;
const RETRY_AFTER_S_MAX = 300;
const TIMEOUT_MS = 15_000;

/** The bodies of requests: everything around the items. */
export type Envelope = (items: string[]) => string;

interface Result {
  status?: string;
  reason?: string;
  detail?: string;
}

export class Sender {
  accepted = 0;
  duplicate = 0;
  /** Put into the queue by this page. */
  private mine = new Set<string>();
  /** Handed to a beacon. */
  private left = new Set<string>();
  /** In a request, which outlives the page as well. */
  private underWay = new Set<string>();
  private failures = 0;
  private notBefore = 0;
  private timer: number | undefined;
  private sending: Promise<boolean> | undefined;
  private isOpen = false;

  constructor(private url: string, private queue: Queue, private store: Store,
              private envelope: Envelope, private drops: Drops) {
    addEventListener("pagehide", () => {
      this.leave();
      release(store);
    });
    addEventListener("pageshow", () => this.back());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden") void this.send();
      else this.back();
    });
  }

  /** Whether anything may leave the page. */
  open(isOpen: boolean): void {
    this.isOpen = isOpen;
    if (isOpen) this.soon();
  }

  /** It is in the queue, put there by this page. */
  added(name: string): void {
    this.mine.add(name);
    this.soon();
  }

  /** Sends at once what waits; whether nothing waits any more. */
  async flush(): Promise<boolean> {
    await this.sending;
    return this.send();
  }

  /** One last word which does not wait for anything, nor for an answer. */
  beacon(items: string[]): boolean {
    try {
      return navigator.sendBeacon(this.url, this.envelope(items));
    } catch {
      return false;
    }
  }

  private soon(): void {
    if (!this.isOpen || this.timer !== undefined) return;
    const wait = Math.max(DELAY_MS, this.notBefore - performance.now());
    this.timer = setTimeout(() => {
      this.timer = undefined;
      void this.send();
    }, wait);
  }

  private send(): Promise<boolean> {
    this.sending ??= this.sendAlone().catch(() => false).finally(() => {
      this.sending = undefined;
    });
    return this.sending;
  }

  private async sendAlone(): Promise<boolean> {
    if (this.isOpen && performance.now() >= this.notBefore) {
      await alone(this.store, () => this.sendAll());
    }
    const isEmpty = !this.queue.names().some((name) => !this.left.has(name));
    if (isEmpty) this.mine.clear();
    else this.soon();
    return isEmpty;
  }

  private async sendAll(): Promise<void> {
    while (this.isOpen) {
      const batch = this.queue.batch((name) => !this.left.has(name));
      if (!batch.length) return;
      renew(this.store);
      const askedS = await this.post(batch);
      if (askedS !== undefined) {
        const most = Math.min(BACKOFF_MS * 2 ** Math.min(this.failures++, 16), BACKOFF_MS_MAX);
        this.notBefore = performance.now() + Math.max(Math.random() * most, askedS * 1000);
        return;
      }
      this.failures = 0;
    }
  }

  /** Undefined: it is settled. Else it is to be tried again, after so many seconds at least. */
  private async post(batch: Waiting[]): Promise<number | undefined> {
    const abort = new AbortController();
    const timeout = setTimeout(() => abort.abort(), TIMEOUT_MS);
    this.underWay = new Set(batch.map(({ name }) => name));
    try {
      const response = await fetch(this.url, {
        method: "POST", body: this.envelope(batch.map(({ json }) => json)), keepalive: true,
        credentials: "omit", signal: abort.signal,
      });
      const { status } = response;
      if (status === 408 || status === 429 || status >= 500) return retryAfterS(response);
      const answer: unknown = await response.json().catch(() => undefined);
      if (status !== 200) {
        const { code = "", message = "" } = (answer ?? {}) as Record<string, string>;
        for (const { name } of batch) this.queue.remove(name);
        this.drops.tell(`http_${status}`, `${code}: ${message}`, batch.map(({ json }) => JSON.parse(json)));
        return undefined;
      }
      const { results } = (answer ?? {}) as { results?: Result[] };
      if (results?.length !== batch.length) return 0;
      this.settle(batch, results);
      return undefined;
    } catch {
      return 0;
    } finally {
      clearTimeout(timeout);
      this.underWay = new Set();
    }
  }

  private settle(batch: Waiting[], results: Result[]): void {
    batch.forEach(({ name, json }, n) => {
      const { status, reason = "", detail = "" } = results[n]!;
      this.queue.remove(name);
      this.mine.delete(name);
      if (status === "accepted") this.accepted++;
      else if (status === "duplicate") this.duplicate++;
      else this.drops.tell(reason, detail, [JSON.parse(json)]);
    });
  }

  /** What another page could send later is not pressed on a collector that does not answer. */
  private leave(): void {
    while (this.isOpen && !(this.failures && this.store.isKept)) {
      const batch = this.queue.batch((name) =>
        this.mine.has(name) && !this.left.has(name) && !this.underWay.has(name));
      if (!batch.length || !this.beacon(batch.map(({ json }) => json))) return;
      for (const { name } of batch) this.left.add(name);
    }
  }

  private back(): void {
    this.left.clear();
    this.soon();
  }
}

function retryAfterS(response: Response): number {
  const asked = response.headers.get("Retry-After") ?? "";
  const seconds = Number(asked) || (Date.parse(asked) - Date.now()) / 1000;
  return Math.min(Math.max(seconds || 0, 0), RETRY_AFTER_S_MAX);
}
