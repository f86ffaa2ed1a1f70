/**
 * What an item says of the page it was called on and of the browser, in the fields and with the
 * names of Segment's specification.
 */
import { version } from "./package.json";

export type Values = Record<string, unknown>;

/** Of the page, for `context.page` and the properties of `page`. */
export function page(): Values {
  const { href, pathname, search } = location;
  return { path: pathname, referrer: document.referrer, search, title: document.title,
           url: href.split("#")[0] };
}

/** Of the campaign that led here, by the `utm_` parameters of the address; empty without one. */
export function campaign(): Values {
  const found: Values = {};
  new URLSearchParams(location.search).forEach((value, name) => {
    if (name.startsWith("utm_")) found[name === "utm_campaign" ? "name" : name.slice(4)] = value;
  });
  return Object.keys(found).length ? { campaign: found } : {};
}

/** The same for every item of a request. */
export function browser(): Values {
  return {
    library: { name: "footfall.js", version },
    locale: navigator.language,
    timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    userAgent: navigator.userAgent,
  };
}
