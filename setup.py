"""Compiles the machine that every event passes through with mypyc, mypy's own compiler.

The sources stay plain typed Python and run as they are wherever nothing was compiled: no C compiler
at hand, or FOOTFALL_PURE=1. `footfall doctor` says which. Decided on 2026-11-25 by measurement
(docs/performance.md): 1.5 times the events per CPU-second, with no second language to maintain.

Rules for a compiled module: it defines no msgspec struct or NamedTuple (mypyc drops `frozen`,
`array_like` and a part of the annotations, and so would write other bytes; a table has them in its
`*_row.py`), its annotations are true at run time (mypyc checks them), and no loop over `range(n)`
changes its n. tests/test_compiled.py holds it to them.
"""

import os

from setuptools import setup

COMPILED = (
    "src/footfall/events/admit.py",
    "src/footfall/events/amount.py",
    "src/footfall/events/avro.py",
    "src/footfall/events/codec.py",
    "src/footfall/events/commerce.py",
    "src/footfall/events/customer_key.py",
    "src/footfall/events/fields.py",
    "src/footfall/events/identifiers.py",
    "src/footfall/events/outcomes.py",
    "src/footfall/events/personal.py",
    "src/footfall/events/reserved.py",
    "src/footfall/events/times.py",
    "src/footfall/tables/cart.py",
    "src/footfall/tables/cart_facts.py",
    "src/footfall/tables/cart_operations.py",
    "src/footfall/tables/cart_reading.py",
    "src/footfall/tables/cart_triggers.py",
    "src/footfall/tables/computed.py",
    "src/footfall/tables/computed_candidates.py",
    "src/footfall/tables/computed_cells.py",
    "src/footfall/tables/computed_facts.py",
    "src/footfall/tables/computed_filter.py",
    "src/footfall/tables/computed_limits.py",
    "src/footfall/tables/computed_sketch.py",
    "src/footfall/tables/consent.py",
    "src/footfall/tables/consent_choices.py",
    "src/footfall/tables/consent_facts.py",
    "src/footfall/tables/consent_gate.py",
    "src/footfall/tables/consent_reading.py",
    "src/footfall/tables/consent_signals.py",
    "src/footfall/tables/engagement.py",
    "src/footfall/tables/engagement_facts.py",
    "src/footfall/tables/engagement_score.py",
    "src/footfall/tables/engagement_sessions.py",
    "src/footfall/tables/engagement_triggers.py",
    "src/footfall/tables/engagement_windows.py",
    "src/footfall/tables/fold.py",
    "src/footfall/tables/fold_handoffs.py",
    "src/footfall/tables/fold_state.py",
    "src/footfall/tables/fold_steps.py",
    "src/footfall/tables/fold_timers.py",
    "src/footfall/tables/handoffs.py",
    "src/footfall/tables/identity.py",
    "src/footfall/tables/linking.py",
    "src/footfall/tables/import_ledger.py",
    "src/footfall/tables/links.py",
    "src/footfall/tables/links_letters.py",
    "src/footfall/tables/links_parted.py",
    "src/footfall/tables/message_ids.py",
    "src/footfall/tables/orders.py",
    "src/footfall/tables/orders_facts.py",
    "src/footfall/tables/orders_messages.py",
    "src/footfall/tables/orders_triggers.py",
    "src/footfall/tables/outputs.py",
    "src/footfall/tables/profile.py",
    "src/footfall/tables/profile_facts.py",
    "src/footfall/tables/record.py",
    "src/footfall/tables/records.py",
    "src/footfall/tables/risk.py",
    "src/footfall/tables/risk_facts.py",
    "src/footfall/tables/risk_score.py",
    "src/footfall/tables/risk_signals.py",
    "src/footfall/tables/row.py",
    "src/footfall/tables/rules.py",
    "src/footfall/tables/rules_aggregates.py",
    "src/footfall/tables/rules_book.py",
    "src/footfall/tables/rules_conditions.py",
    "src/footfall/tables/rules_fields.py",
    "src/footfall/tables/rules_firing.py",
    "src/footfall/tables/rules_hand.py",
    "src/footfall/tables/rules_operators.py",
    "src/footfall/tables/ruling.py",
    "src/footfall/tables/segments.py",
    "src/footfall/tables/segments_changes.py",
    "src/footfall/tables/step.py",
    "src/footfall/tables/timeline.py",
    "src/footfall/tables/timers.py",
)


def extensions():
    """The compiled modules; none where that is not wanted or cannot be."""
    if os.environ.get("FOOTFALL_PURE"):
        return []
    try:
        from mypyc.build import mypycify
    except ImportError:
        return []
    made = mypycify([*COMPILED], opt_level="3", debug_level="0", group_name="footfall")
    for extension in made:
        extension.optional = True  # without a C compiler the sources run as they are
    return made


setup(ext_modules=extensions())
