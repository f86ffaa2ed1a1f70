/**
 * The calls: from a call of the page to an item in the queue.
 *
 * Decides what an item says, and when anything is kept or sent at all. `consent: "required"` and no
 * decision yet: all in the page's memory, nothing leaves it. A grant lets it out, a refusal drops
 * it. Without "required" only a refusal changes anything. What else may be wrong with an item is
 * judged by the collector, whose answer comes back through `on("error")`.
 */
import * as consents from "./consent";
import type { Decision } from "./consent";
import { Drops } from "./drops";
import type { Listener } from "./drops";
import { Identity, uuid } from "./identity";
import { browser, campaign, page } from "./page";
import type { Values } from "./page";
import { bytesOf, Queue } from "./queue";
import { Sender } from "./sender";
import { CONSENT, PREFIX, Store } from "./store";

const ITEM_BYTES_MAX = 32 * 1024;
/** All items of a request share it, and browsers and collector have their limits for that. */
const CONSENT_BYTES_MAX = 4000;
/** The event that Segment reserves for it. */
const CONSENT_EVENT = "Segment Consent Preference Updated";

export interface Options {
  writeKey: string;
  /** The collector. */
  host: string;
  isConsentRequired: boolean;
  /** Call `page()` once, when it is loaded. */
  autoPage: boolean;
}

/** What may be said with every call. */
export interface Said {
  context?: Values;
  timestamp?: string | number | Date;
  messageId?: string;
  integrations?: Values;
}

/** What may be said of a decision. */
export interface Details {
  channel?: string;
  expiresAt?: string | number | Date;
  wordingVersion?: string | number;
}

type Id = string | number;

export class Client {
  private store = new Store();
  private identity = new Identity(this.store);
  private queue = new Queue(this.store);
  private drops = new Drops();
  private sender: Sender;
  private decision: Decision | undefined;
  private state: "waiting" | "granted" | "refused" = "waiting";

  constructor(private options: Options) {
    const url = `${options.host.replace(/\/+$/, "")}/v1/batch`;
    this.sender = new Sender(url, this.queue, this.store, this.envelope, this.drops);
    this.decision = consents.remembered(this.store);
    if (consents.hasGlobalPrivacyControl()) this.store.recall();
    if (this.decision !== undefined) this.decided(this.decision);
    else if (!options.isConsentRequired) this.granted();
    addEventListener("storage", ({ key }) => {
      if (key === PREFIX + CONSENT) this.decidedElsewhere();
    });
    if (options.autoPage) this.page();
  }

  page(...given: unknown[]): void {
    const names = given.filter((one): one is string => typeof one === "string").slice(0, 2);
    const [properties, said] = given.filter((one) => typeof one === "object" && one);
    const name = names.pop();
    const category = names.pop();
    const named = { ...(name && { name }), ...(category && { category }) };
    this.add("page", { ...named, properties: { ...page(), ...named, ...(properties as Values) } },
             said as Said);
  }

  track(event: string, properties: Values = {}, said?: Said): void {
    this.add("track", { event, properties }, said);
  }

  identify(userId?: Id | Values | null, traits?: Values, said?: Said): void {
    if (typeof userId === "object" && userId) return this.identify(undefined, userId, traits);
    if (userId !== undefined && userId !== null && userId !== "") this.identity.is(String(userId));
    this.add("identify", { traits: traits ?? {} }, said);
  }

  group(groupId: Id, traits: Values = {}, said?: Said): void {
    this.add("group", { groupId, traits }, said);
  }

  alias(userId: Id, previousId?: Id, said?: Said): void {
    const before = previousId ?? this.identity.userId() ?? this.identity.anonymousId();
    this.add("alias", { userId, previousId: before }, said);
  }

  /** Whoever was known here is gone: a new anonymous id and a new session. */
  reset(): void {
    this.identity.reset();
  }

  anonymousId(): string {
    return this.identity.anonymousId();
  }

  /** What the visitor allows; on a channel: of one way to reach them, not of this page. */
  consent(said: Decision, details?: Details): void {
    const text = JSON.stringify(said);
    if (!consents.isDecision(said) || bytesOf(text) > CONSENT_BYTES_MAX) {
      this.drops.tell("consent_unreadable", "a decision is true, false or an object of categories, "
        + `at most ${CONSENT_BYTES_MAX} bytes long`, [said]);
      return;
    }
    const { channel, expiresAt: expires_at, wordingVersion: wording_version } = details ?? {};
    const properties = { expires_at, wording_version };
    if (channel) return this.track(CONSENT_EVENT, { purposes: said, channel, ...properties });
    const isNew = !!details || JSON.stringify(this.decision) !== text;
    this.decision = said;
    consents.remember(this.store, said);
    if (this.state === "granted" && !consents.isGrant(said)) {
      this.sender.beacon([this.item("track", { event: CONSENT_EVENT, properties }, {}).json]);
    }
    this.decided(said);
    if (this.state === "granted" && isNew && said !== true) this.track(CONSENT_EVENT, properties);
  }

  flush(): Promise<boolean> {
    return this.sender.flush();
  }

  on(name: "error", listener: Listener): void {
    if (name === "error") this.drops.listen(listener);
  }

  /** What became of the calls of this page. */
  counts(): object {
    return { accepted: this.sender.accepted, duplicate: this.sender.duplicate,
             dropped: { ...this.drops.counts }, waiting: this.queue.names().length };
  }

  /** A call failed inside the script, which is never the page's concern. */
  failed(call: string, error: unknown): void {
    this.drops.tell("call_failed", `${call}: ${error}`, [call]);
  }

  /** So many calls came before `load`, more than are kept until then. */
  tooEarly(count: number): void {
    if (count) this.drops.tell("queue_full", "too many calls before load", Array(count).fill(null));
  }

  private decided(said: Decision): void {
    if (consents.isGrant(said)) this.granted();
    else this.refused();
  }

  /** In another tab of this site. */
  private decidedElsewhere(): void {
    this.decision = consents.remembered(this.store);
    if (this.decision !== undefined) this.decided(this.decision);
  }

  private granted(): void {
    this.state = "granted";
    if (!consents.hasGlobalPrivacyControl()) this.store.persist();
    this.sender.open(true);
  }

  private refused(): void {
    this.state = "refused";
    this.sender.open(false);
    const waiting = this.queue.names().map((name) => this.store.get(name) ?? "{}");
    this.store.forget();
    if (waiting.length) this.dropRefused(waiting.map((json) => JSON.parse(json) as unknown));
  }

  private dropRefused(items: unknown[]): void {
    this.drops.tell("consent_refused", "the visitor has refused", items);
  }

  private add(type: string, rest: Values, said: Said = {}): void {
    const { messageId, json } = this.item(type, rest, said);
    if (this.state === "refused") return this.dropRefused([JSON.parse(json)]);
    if (bytesOf(json) > ITEM_BYTES_MAX) {
      return this.drops.tell("item_too_large", `an item has at most ${ITEM_BYTES_MAX} bytes`,
                             [JSON.parse(json)]);
    }
    const name = this.queue.add(messageId, json, Date.now());
    if (name) this.sender.added(name);
    else this.drops.tell("queue_full", "too many items wait", [JSON.parse(json)]);
  }

  /** As text at once: what the page changes later does not reach it. */
  private item(type: string, rest: Values, said: Said): { messageId: string; json: string } {
    const { context, timestamp = new Date(), messageId = uuid(), integrations } = said;
    const json = JSON.stringify({
      type, messageId, timestamp, channel: "web", anonymousId: this.identity.anonymousId(),
      userId: this.identity.userId(), ...rest, integrations,
      context: { page: page(), ...campaign(), ...this.identity.session(Date.now()), ...context },
    });
    return { messageId, json };
  }

  private envelope = (items: string[]): string => {
    const root = JSON.stringify({
      writeKey: this.options.writeKey, sentAt: new Date(),
      context: { ...browser(), ...consents.stated(this.decision) },
    });
    return `${root.slice(0, -1)},"batch":[${items.join()}]}`;
  };
}
