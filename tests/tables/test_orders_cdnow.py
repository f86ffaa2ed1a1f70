"""The real orders of the CDNOW data set, through the real fold, against pandas."""

from __future__ import annotations

from footfall.tables import orders
from footfall.tables.fold import Fold
from tests.tables import cdnow, events
from tests.tables.logs import CODECS, KEYS, RESERVED, START, Entry
from tests.tables.test_orders_recount import DAY


def test_orders_money_and_intervals_of_every_customer_are_those_of_pandas() -> None:
    """All 69,659 rows, most of them late: the log has them in the order of the file."""
    frame = cdnow.read()
    fold = Fold(0, (orders.TABLE,), codecs=CODECS, keys=KEYS, reserved=RESERVED, topic="log")
    at = START + 600 * DAY
    customers = {name: KEYS.of("user_id", name) for name in frame["customer_id"].unique()}
    encode = CODECS.interaction.encode
    rows = zip(frame["customer_id"], frame["day"], frame["dollar_value"], strict=True)
    for n, (customer, day, value) in enumerate(rows):
        event = events.ordered(START + int(day) * DAY, f"row-{n}", currency=cdnow.CURRENCY,
                               total=value)
        fold.apply(Entry(n, at, customers[customer], encode(event)))

    told = sum(count for (what, _), count in fold.counts.items() if what == "trigger")
    assert len(customers) == told
    expected = cdnow.expected(frame, START, DAY)
    assert customers.keys() == expected.keys()
    for name, key in customers.items():
        row = fold.row(key, "orders")
        assert row is not None
        assert expected[name] == cdnow.held(row.facts)
