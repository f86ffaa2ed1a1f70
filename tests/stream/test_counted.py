"""The north star and the way to an order: each interaction once, and once it is durable."""

from __future__ import annotations

from prometheus_client import REGISTRY

from footfall.stream.counted import STEPS, Counted
from tests.tables import events
from tests.tables.logs import ANNA, START, Appended, fold

STAR = "footfall_north_star_total"


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def tracked(name: str, message_id: str) -> Appended:
    return Appended(START, ANNA, {**events.plain(START, message_id), "event": name})


def test_an_interaction_counts_however_it_is_spelled_and_no_repeat() -> None:
    """As tables know it; what is of another name, or came before, does not."""
    counts = Counted("Trial Begun")
    log = [tracked(name, f"m{n}") for n, name in enumerate((
        "Trial Begun", "trial_begun", "BEGUN TRIAL", "Order Completed", "CompletedOrder",
        "Product Viewed", "Trial", "Trial Begun Again"))]
    folded = fold([*log, tracked("Trial Begun", "m0")], counted=counts.names)

    assert {"trialbegun": 3, "ordercompleted": 2, "productviewed": 1} == folded.take_counted()
    assert {} == folded.take_counted()


def test_what_is_counted_is_durable_before_it_is_shown() -> None:
    """Under the name of the setting; a snapshot that a crash has taken counts for nobody."""
    counts = Counted("Order Completed")
    counts.begin()
    before = counted(STAR, event="Order Completed")
    counts.taken(0, {"ordercompleted": 2, "productadded": 1})
    assert before == counted(STAR, event="Order Completed")
    steps = {step: counted("footfall_funnel_total", step=step)
             for step in ("order_completed", "product_added")}

    counts.durable(0)
    counts.durable(0)

    assert before + 2 == counted(STAR, event="Order Completed")
    assert {"order_completed": 2.0, "product_added": 1.0} == {
        step: counted("footfall_funnel_total", step=step) - was for step, was in steps.items()}


def test_all_steps_are_there_at_zero() -> None:
    """And the star: `increase()` does not see the step with which a series appears."""
    Counted("A Name Of Its Own").begin()
    assert 0.0 == REGISTRY.get_sample_value(STAR, {"event": "A Name Of Its Own"})
    for step in STEPS:
        name = step.lower().replace(" ", "_")
        assert REGISTRY.get_sample_value("footfall_funnel_total", {"step": name}) is not None
