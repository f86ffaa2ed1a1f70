"""*Business*: what all of it is for: the north star, conversion, and revenue that was recovered.

Amounts are in the currency that their label names: those of several are never added up. What the
north star counts is a setting, `FOOTFALL_NORTH_STAR`.
"""

from __future__ import annotations

from boards.panels import (
    NUMBER,
    SHARE,
    Board,
    Choice,
    Panel,
    Query,
    change,
    hour,
    in_range,
    now,
    one,
)

_STAR = "footfall_north_star_total"
_ORDERS = 'footfall_funnel_total{step="order_completed"}'
_STEPS = ("product_viewed", "product_added", "checkout_started", "order_completed")


def _triggers(name: str) -> str:
    return f'footfall_triggers_total{{name="{name}"}}'


def _share(part: str, whole: str) -> str:
    """Of what happened within the range, how much led on; nothing where nothing happened."""
    return f"{in_range(part)} / ({in_range(whole)} > 0)"


def _money(trigger: str, window: str) -> tuple[Query, ...]:
    return one("sum by (currency) (increase(footfall_cart_value_total"
               f'{{trigger="{trigger}"}}[{window}]))', "{{currency}}")


BOARD = Board(
    "Business",
    "What it is for: the number that the company steers by, conversion, and recovered revenue.",
    (
        ("North star", (
            Panel("North star", "How often what FOOTFALL_NORTH_STAR names has happened within the "
                  "range that is shown. Each interaction counts once, imports do not", NUMBER,
                  one(f"sum by (event) (increase({_STAR}[$__range]))", "{{event}}"), stat=True),
            Panel("North star, changed", "Against the range of the same length before it, and "
                  "against this time so long before as is chosen above", SHARE,
                  (Query(change(_STAR, "$__range"), "period before"),
                   Query(change(_STAR, "$compared"), "$compared before")),
                  stat=True, signed=True, good="rise"),
            Panel("North star by the hour", "The same, at each moment of the hour before it",
                  NUMBER, hour(_STAR, "event")),
        )),
        ("Conversion", (
            Panel("Orders of sessions", "Orders completed to sessions begun, within the range. It "
                  "falls while sessions do not: look at the steps beside it", SHARE,
                  one(_share(_ORDERS, _triggers("session_started")), "conversion"), stat=True),
            Panel("Way to an order", "Interactions of each step within the range. A step that "
                  "falls behind the one before it is where customers are lost", NUMBER,
                  tuple(Query(in_range(f'footfall_funnel_total{{step="{step}"}}'),
                              step.replace("_", " ")) for step in _STEPS), stat=True, width=16),
            Panel("Way to an order by the hour", "The same steps, at each moment of the hour "
                  "before it", NUMBER, hour("footfall_funnel_total", "step")),
            Panel("First orders", "Customers who ordered for the first time, within an hour",
                  NUMBER, hour(_triggers("order_completed_first"), called="first orders"),
                  more="Customers"),
            Panel("Engaged customers", "Customers of medium and high engagement", NUMBER,
                  now('footfall_rows{table="engagement", level=~"medium|high"}', "level"),
                  stacked=True, more="Customers"),
        )),
        ("Recovered revenue", (
            Panel("Recovered revenue", "What orders brought that followed an abandoned cart, "
                  "within the range, by currency", NUMBER,
                  _money("cart_recovered", "$__range"), stat=True),
            Panel("Left in carts", "What carts held that were told as abandoned, within the range, "
                  "by currency", NUMBER, _money("cart_abandoned", "$__range"), stat=True),
            Panel("Recovered carts", "Of the carts that were told as abandoned, those that were "
                  "ordered after all, within the range. It falls: look at what is sent, and when",
                  SHARE, one(_share(_triggers("cart_recovered"), _triggers("cart_abandoned")),
                             "recovered"), stat=True, more="Delivery"),
            Panel("Recovered revenue by the hour", "The same, at each moment of the hour before "
                  "it", NUMBER, _money("cart_recovered", "1h"), width=24),
        )),
    ),
    choices=(Choice("compared", "Compared with", "1d,7d,1h", listed=True),),
    since="now-24h",
)
