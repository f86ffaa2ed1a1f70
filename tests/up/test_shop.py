"""The demo's shop is the same for the same seed, and tells a story that has an end."""

from __future__ import annotations

import pytest

from footfall.up.shop import script


def test_a_seed_is_a_shop() -> None:
    """Equal for equal seeds, different for others."""
    assert script(1, 120, 5) == script(1, 120, 5)
    assert script(1, 120, 5) != script(2, 120, 5)


@pytest.mark.parametrize("seed", range(20))
def test_the_last_deadline_is_before_the_end(seed: int) -> None:
    """Whoever watches to the end sees every trigger."""
    made = script(seed, 120, 5)

    assert made.actions[-1].at_s + 5 < 120
    assert made.actions == sorted(made.actions, key=lambda action: action.at_s)
    assert len({action.item["messageId"] for action in made.actions}) == len(made.actions)


def test_some_order_some_leave_and_some_come_back() -> None:
    """Two minutes show all of it, whatever the seed."""
    for seed in range(20):
        made = script(seed, 120, 5)
        ordered = {a.item["properties"]["cart_id"] for a in made.actions
                   if a.item["event"] == "Order Completed"}

        assert made.abandoned
        assert made.recovered < made.abandoned
        assert ordered - made.abandoned
        assert made.recovered == made.abandoned & ordered
