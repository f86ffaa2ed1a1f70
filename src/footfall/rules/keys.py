"""What each key of a rules file means, in a sentence: for editors (`schema.py`) and docs/rules.md.

Decides the words alone; what a key may say is decided by the structs (`rules_row.py`,
`segments_row.py`, `computed_row.py`), and a test holds that every key of theirs is here.
"""

from __future__ import annotations

from typing import Final

import msgspec

from footfall.tables import computed_row, rules_row, segments_row
from footfall.testing.delivered import Delivered
from footfall.testing.scenario import Expected, Scenario, Step


class RulesFile(msgspec.Struct):
    """Rules, segments and computed traits of Footfall, with their tests. Definitions of several
    files are put one after the other; other sections of a configuration may stand here, too.
    """

    computed: computed_row.ComputedConfig = computed_row.ComputedConfig()
    segments: segments_row.SegmentsConfig = segments_row.SegmentsConfig()
    rules: rules_row.RulesConfig = rules_row.RulesConfig()
    tests: tuple[Scenario, ...] = ()


_NAME: Final = "Small letters, digits and _, at most 50, beginning with a letter"
_VERSION: Final = "A whole number from 1; give another whenever the meaning changes"
_DESCRIPTION: Final = "For those who read it; at most 500 characters"
_AGGREGATE: Final = "What is reckoned of the events: count, sum, average, ..., time_since_last"
_WINDOW: Final = "How far back events count: 1h, 24h, 7d, 30d, or ever"
_OVER_VALUE: Final = "The path of the values that are reckoned: properties.total; not of a count"

#: Heading -> (its struct, key -> what it means), in the order of docs/rules.md.
KEYS: Final[dict[str, tuple[type[msgspec.Struct], dict[str, str]]]] = {
    "A file": (RulesFile, {
        "rules": "What to tell: `definitions` is a list of rules",
        "segments": "Groups of customers: `definitions` is a list of segments",
        "computed": "Traits reckoned from events: `definitions` is a list of computed traits",
        "tests": "Scenarios for `footfall rules test`; `config apply` leaves them out",
    }),
    "A rule": (rules_row.Rule, {
        "name": f"{_NAME}; it is the name of the trigger",
        "version": f"{_VERSION}. Triggers carry it",
        "on": "What the rule acts on",
        "if": "What must hold at that moment",
        "wait": "How long after that it fires: 90s, 30m, 24h, 7d, 2w, at most 366 days; what it "
                "acts on happening again begins the wait anew",
        "unless": "An event that ends the wait, so that it does not fire",
        "still": "What must hold when the wait is over",
        "key": "The field that tells apart what is waited for, or what fires once: "
               "event.properties.cart_id",
        "once": "Fire once a customer, or once for each value of `key`",
        "cooldown": "The least time between two firings for one customer",
        "expires": "Do not fire later than this after what it is about",
        "priority": "0 to 100, 50 where absent: of several rules in one step the higher comes "
                    "first",
        "group": "Of the rules of one group that would fire in one step only the first does",
        "holdout_percent": "0 to 99: of so many percent of the customers the trigger is recorded "
                           "and sent to nobody, so that the effect can be measured",
        "starts_at": "From this instant on, such as 2026-12-01T09:00:00Z",
        "ends_at": "Up to this instant",
        "data": "What a receiver needs: name -> field, at most 20",
        "description": _DESCRIPTION,
    }),
    "What a rule acts on": (rules_row.On, {
        "call": "An interaction: track, page, screen, identify, group or alias; or delivery: what "
                "became of one",
        "event": "Its name, of track, page, screen and delivery; capitals, blanks and _ make no "
                 "difference, but of delivery",
        "trigger": "A trigger of a table (docs/triggers.md) or of another rule",
        "when": "A condition of tables, segments and counted events that becomes true",
        "becomes": "Of `when`: false for the condition that becomes false",
        "enters": "A segment that the customer enters",
        "leaves": "A segment that the customer leaves",
        "schedule": "A time of day, in the customer's time zone or in one for all",
    }),
    "A schedule": (rules_row.Schedule, {
        "at": "The time of day: 09:30",
        "days": "Days of the week: mon, tue, wed, thu, fri, sat, sun; every day where absent",
        "zone": "An IANA time zone, or `customer`: that of the trait `timezone`",
        "else_zone": "The zone of customers whose trait names none",
    }),
    "A condition": (rules_row.Condition, {
        "field": "A field of the event, the trigger or a table: event.properties.total, "
                 "trigger.data.x, engagement.level, profile.traits.plan",
        "of": f"{_AGGREGATE}; needs `over`",
        "over": "Which events are counted; {} is all",
        "value": _OVER_VALUE,
        "window": _WINDOW,
        "segment": "The customer is in this segment",
        "cel": "An expression in CEL over fields, for what the operators cannot say",
        "equals": "Is equal: text, number, true or false",
        "not_equals": "None is equal, or there is none",
        "in": "Is one of these, at most 50",
        "greater": "Is more than this number",
        "at_least": "Is this number or more",
        "less": "Is less than this number",
        "at_most": "Is this number or less",
        "exists": "true: there is such a value; false: there is none",
        "contains": "A text that has this in it, or a list that has this member",
        "older_than": "An instant that lies at least so long ago: 30d",
        "newer_than": "An instant that lies less than so long ago",
        "all": "Every one of these conditions holds",
        "any": "At least one of them holds",
        "none": "Not one of them holds",
    }),
    "Which events": (computed_row.Over, {
        "call": "track, page, screen, identify, group or alias; of any of these where absent; or "
                "delivery",
        "event": "The name, of track, page, screen and delivery",
        "where": "A condition on the event itself",
    }),
    "A condition on an event": (computed_row.Condition, {
        "path": "A path of the event: properties.total, traits.plan, context.page.path, channel",
        "equals": "Is equal", "not_equals": "None is equal, or there is none",
        "in": "Is one of these, at most 50", "greater": "Is more than this number",
        "less": "Is less than this number", "exists": "Whether there is such a value",
        "contains": "A text that has this in it", "all": "Every one of these conditions holds",
        "any": "At least one of them holds",
    }),
    "A segment": (segments_row.Segment, {
        "name": _NAME,
        "version": _VERSION,
        "if": "The condition that holds of its customers",
        "description": _DESCRIPTION,
    }),
    "A computed trait": (computed_row.Definition, {
        "name": f"{_NAME}; conditions ask it as computed.NAME",
        "version": _VERSION,
        "of": _AGGREGATE,
        "over": "Which events are counted; {} is all",
        "value": _OVER_VALUE,
        "window": _WINDOW,
        "values_max": "Of most_frequent and unique_list: how many values are kept, 1 to 100",
    }),
    "A test": (Scenario, {
        "name": "What it shows",
        "steps": "What happens, in order",
        "expect": "The triggers that it comes to: of the file's rules exactly these",
        "segments": "Customer -> all segments that it is in at the end",
        "start": "The first instant, such as 2026-01-05T09:00:00Z",
        "description": _DESCRIPTION,
    }),
    "A step of a test": (Step, {
        "send": "An item, as an SDK sends it: {type: track, userId: anna, event: Order Completed}",
        "wait": "A time that passes: 31m, 24h, 1h30m",
        "deliver": "What became of a delivery: {trigger: cart_abandoned, outcome: dead, "
                   "destination: crm}",
        "configure": "A change of the configuration",
    }),
    "What became of a delivery in a test": (Delivered, {
        "trigger": "The name of the trigger; the newest one is meant",
        "outcome": "sent, dead, suppressed, delivered, opened, clicked, bounced or complained",
        "customer": "Of which customer it is: user_id:anna; of any where absent",
        "destination": "Its name; test where absent",
        "channel": "The destination's channel; webhook where absent",
        "purpose": "The destination's purpose; necessary where absent",
        "reason": "Why it was suppressed, or failed for good",
    }),
    "What a test expects": (Expected, {
        "trigger": "Its name",
        "customer": "One of its identifiers: user_id:anna",
        "data": "Data that it has, and perhaps more",
        "at": "When it occurred, after the start",
        "held_out": "true: it is recorded, and sent to nobody",
        "times": "How often; 0 for never",
    }),
}
