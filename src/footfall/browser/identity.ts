/**
 * Who calls, and in which session.
 *
 * Ids are read anew at every call, so all tabs of a site agree. One user after another on the same
 * browser gets a new anonymous id and a new session: two people are never joined by a device.
 * Traits are sent and not kept.
 */
import type { Store } from "./store";

const SESSION_IDLE_MS = 30 * 60 * 1000;

export interface Session {
  sessionId: number;
  sessionStart?: true;
}

export class Identity {
  constructor(private store: Store) {}

  anonymousId(): string {
    const known = this.store.get("anonymous_id");
    if (known) return known;
    const made = uuid();
    this.store.set("anonymous_id", made);
    return made;
  }

  userId(): string | undefined {
    return this.store.get("user_id");
  }

  /** From now on the calls are this user's. */
  is(userId: string): void {
    const before = this.userId();
    if (before !== undefined && before !== userId) this.reset();
    this.store.set("user_id", userId);
  }

  /** From now on the calls are those of somebody unknown. */
  reset(): void {
    for (const name of ["anonymous_id", "user_id", "session"]) this.store.remove(name);
  }

  /** The session of a call at this time. RudderStack's names: its id is when it began. */
  session(now: number): Session {
    const [id = NaN, last = NaN] = (this.store.get("session") ?? "").split(" ").map(Number);
    const goesOn = Math.abs(now - last) <= SESSION_IDLE_MS;
    const sessionId = goesOn ? id : now;
    this.store.set("session", `${sessionId} ${now}`);
    return goesOn ? { sessionId } : { sessionId, sessionStart: true };
  }
}

/** Version 4. `crypto.randomUUID` is missing on pages without https. */
export function uuid(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
