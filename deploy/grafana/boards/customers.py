"""*Customers*: who they are and how they are, as tables of the worker know it.

Levels are how many customers are at each now; what was told is by the hour. Amounts are in the
currency that their label names: those of several are never added up.
"""

from __future__ import annotations

from boards.panels import NUMBER, PER_SECOND, Board, Panel, hour, hour_moving, moving, now, one

BOARD = Board(
    "Customers",
    "Who they are and how they are: identities, engagement, carts and their money, risk, consent.",
    (
        ("Who", (
            Panel("Customers", "Customer records held: each identifier that was ever seen has one",
                  NUMBER, now("footfall_customers", called="records")),
            Panel("Identities", "Identifiers that are customers of their own (root), that belong "
                  "to another one (pointer), and that lost one to somebody (alert)", NUMBER,
                  now('footfall_rows{table="links"}', "level"), stacked=True),
            Panel("Identified and merged", "Visitors who became known, known customers who turned "
                  "out to be one, and links that were not made, within an hour. Many refusals: "
                  "an app sends one identifier for all", NUMBER,
                  hour('footfall_triggers_total{name=~"customer_identified|customers_merged|'
                       'merge_refused"}', "name")),
        )),
        ("Engagement", (
            Panel("Engagement", "Customers by engagement level, as announced last. none: not a "
                  "sign of life for long", NUMBER,
                  now('footfall_rows{table="engagement"}', "level"), stacked=True),
            Panel("Came to a level of engagement", "Customers who came there within an hour, from "
                  "above or below. none and low rise together: many are leaving", NUMBER,
                  hour('footfall_level_entries_total{table="engagement"}', "level")),
            Panel("Sessions and silence", "Sessions that began, and customers who went dormant, "
                  "within an hour", NUMBER,
                  hour('footfall_triggers_total{name=~"session_started|customer_dormant"}',
                       "name")),
        )),
        ("Carts", (
            Panel("Carts now", "Customers by their carts: open (one is filled, and may yet be "
                  "left), abandoned, recovered (ordered after all), closed", NUMBER,
                  now('footfall_rows{table="cart", level=~"open|abandoned|recovered"}', "level"),
                  stacked=True),
            Panel("Carts", "Carts abandoned, and ordered after all, within an hour", NUMBER,
                  hour('footfall_triggers_total{name=~"cart_.*"}', "name"), more="Business"),
            Panel("Money in carts", "What abandoned carts held and recovered ones brought, within "
                  "an hour, by currency", NUMBER,
                  hour("footfall_cart_value_total", "trigger", "currency"), more="Business"),
            Panel("Orders", "First orders of customers, and refunds, within an hour", NUMBER,
                  hour('footfall_triggers_total{name=~"order_.*"}', "name"), more="Business"),
        )),
        ("Risk", (
            Panel("Risk", "Customers whose risk is above low, as announced last", NUMBER,
                  one('sum by (level) (footfall_rows{table="risk", level=~"elevated|high"})',
                      "{{level}}"), stacked=True),
            Panel("Came to a level of risk", "Customers who came there within an hour. Many at "
                  "once: an attack, or a shop that sends failures for what is none", NUMBER,
                  hour('footfall_level_entries_total{table="risk"}', "level")),
        )),
        ("Rules, consent and limits", (
            Panel("Told", "Triggers by name within an hour, those of your rules and segments too",
                  NUMBER, hour_moving("footfall_triggers_total", "name"), width=8),
            Panel("Kept out by consent", "Events of a table, or field classes of events, that "
                  "consent keeps out of the rows. All at once: a banner was changed", PER_SECOND,
                  moving("footfall_gated_total", "what")),
            Panel("Unreadable consents", "Interactions with something about consent that cannot "
                  "be read, which counts as none: mend the app or the banner", PER_SECOND,
                  moving("footfall_unreadable_consents_total", "signal")),
            Panel("Cut by limits", "Steps on rows of which a limit has cut facts off; "
                  "integrations: too long, so that the triggers go nowhere. A few customers are "
                  "machines; many are a wrong identifier", PER_SECOND,
                  moving("footfall_limited_steps_total", "table")),
        )),
    ),
    since="now-6h",
)
