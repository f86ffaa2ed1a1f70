/**
 * One tab sends at a time.
 *
 * By a Web Lock; on pages without https, which have none, by a lease in localStorage: whoever still
 * stands in it a moment after writing there has it. A lease can fail under a race, and then items
 * are sent twice, with the same messageIds; a tab that crashes holds it for so long at most.
 */
import type { Store } from "./store";

const LEASE_MS = 30_000;
const SETTLE_MS = 100;
const me = Math.random().toString(36).slice(2);

/** What `run` gives; undefined where another tab is at it. */
export async function alone<T>(store: Store, run: () => Promise<T>): Promise<T | undefined> {
  if (!store.isShared) return run();
  if (navigator.locks) {
    const done: Promise<T | undefined> = navigator.locks.request("footfall", { ifAvailable: true },
      async (lock) => lock ? run() : undefined);
    return done;
  }
  if (!isFree(store)) return undefined;
  renew(store);
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  if (!isMine(store)) return undefined;
  try {
    return await run();
  } finally {
    release(store);
  }
}

/** A page that ends gives it up, as it would a lock. */
export function release(store: Store): void {
  if (isMine(store)) store.remove("lease");
}

/** Each request begins with a whole lease before it: it ends sooner. */
export function renew(store: Store): void {
  if (store.isShared && !navigator.locks) store.set("lease", `${me} ${Date.now() + LEASE_MS}`);
}

function isMine(store: Store): boolean {
  return (store.get("lease") ?? "").startsWith(`${me} `);
}

function isFree(store: Store): boolean {
  const ends = Number((store.get("lease") ?? "").split(" ")[1] ?? 0);
  return isMine(store) || !(Math.abs(ends - Date.now()) <= LEASE_MS && ends > Date.now());
}
