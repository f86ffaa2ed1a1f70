/**
 * `window.footfall`: what the page calls, before and after this script is there.
 *
 * Takes the calls that the snippet has queued, in their order, and keeps its object, so whoever holds
 * it reaches the client. Starts by itself where its own tag has a write key, else at `load`. Must
 * never throw into the page.
 */
import { Client } from "./client";

const CALLS = ["page", "track", "identify", "group", "alias", "reset", "consent", "anonymousId",
               "flush", "counts", "on"] as const;
/** Before `load`. */
const EARLY_CALLS_MAX = 1000;

/** As the page gives them; docs/browser.md has their meaning. */
interface Options {
  writeKey: string;
  host: string;
  consent: string;
  autoPage: boolean;
}

type Call = [name: string, ...given: unknown[]];
type Footfall = Call[] & Record<string, unknown>;

const script = document.currentScript as HTMLScriptElement | null;
const origin = script ? script.src.replace(/\/[^/]*$/, "") : "";
const place = window as unknown as { footfall?: Footfall };
// An element with that id is also found there.
const footfall = Array.isArray(place.footfall) ? place.footfall : [] as unknown as Footfall;
place.footfall = footfall;
const early = footfall.splice(0);
let tooEarly = 0;
let client: Client | undefined;

function call(name: string, given: unknown[]): unknown {
  if (!client) {
    if (early.length < EARLY_CALLS_MAX) early.push([name, ...given]);
    else tooEarly++;
    return undefined;
  }
  try {
    return (client as unknown as Record<string, (...given: unknown[]) => unknown>)[name]!(...given);
  } catch (error) {
    client.failed(name, error);
    return undefined;
  }
}

function load(options: Partial<Options> | undefined): void {
  const { writeKey, host = origin, consent, autoPage = false } = options ?? {};
  if (client) return;
  if (!writeKey) return console.error("footfall: load() needs a writeKey");
  if (consent !== undefined && consent !== "required") {
    console.error('footfall: consent can be "required" or left out; taken for "required"');
  }
  try {
    client = new Client({ writeKey, host, isConsentRequired: consent !== undefined, autoPage });
  } catch (error) {
    return console.error("footfall:", error);
  }
  for (const [name, ...given] of early.splice(0)) if (isCall(name)) call(name, given);
  client.tooEarly(tooEarly);
}

function isCall(name: string): boolean {
  return (CALLS as readonly string[]).includes(name);
}

for (const name of CALLS) footfall[name] = (...given: unknown[]) => call(name, given);
footfall.load = load;

const asked = early.find(([name]) => name === "load");
const { autoPage, ...said } = script?.dataset ?? {};
if (said.writeKey) load({ ...said, autoPage: autoPage !== undefined });
else if (asked) load(asked[1] as Partial<Options>);
