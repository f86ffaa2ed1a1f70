/**
 * What a visitor's decision, and their Global Privacy Control, mean.
 *
 * A decision is `true` (everything), `false` (nothing) or what is said of each category. It is a
 * grant where a category other than `necessary` is granted: "necessary only" is a refusal.
 *
 * Global Privacy Control (decided on 2026-11-25) asks not to sell or share personal data. It is no
 * refusal of the site's own measurement, so calls are still sent; but no category other than
 * `necessary` counts as granted, whatever the page says, and nothing is kept in the browser.
 */
import { CONSENT } from "./store";
import type { Store } from "./store";

export type Preferences = Record<string, boolean>;
export type Decision = boolean | Preferences;

const NECESSARY = "necessary";

export function isDecision(said: unknown): said is Decision {
  return typeof said === "boolean" || (typeof said === "object" && said !== null && !Array.isArray(said));
}

export function isGrant(said: Decision): boolean {
  return typeof said === "object"
    ? Object.keys(said).some((category) => category !== NECESSARY && said[category] === true)
    : said;
}

export function hasGlobalPrivacyControl(): boolean {
  return (navigator as { globalPrivacyControl?: unknown }).globalPrivacyControl === true;
}

/** What is sent of it, in the context of every item. */
export function stated(said: Decision | undefined): object {
  const named = typeof said === "object" ? said : {};
  if (hasGlobalPrivacyControl()) {
    const refused = Object.fromEntries(Object.keys(named).map((category) => [category, false]));
    return { globalPrivacyControl: true, consent: { categoryPreferences: { ...refused, [NECESSARY]: true } } };
  }
  return said === undefined || said === true ? {} : { consent: { categoryPreferences: named } };
}

export function remembered(store: Store): Decision | undefined {
  try {
    const said: unknown = JSON.parse(store.get(CONSENT) ?? "");
    return isDecision(said) ? said : undefined;
  } catch {
    return undefined;
  }
}

export function remember(store: Store, said: Decision): void {
  store.set(CONSENT, JSON.stringify(said));
}
