"""Sketches of distinct values: the same bytes for any order and split, and how well they count."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from footfall.tables import computed, computed_cells, computed_facts, computed_reading
from footfall.tables.computed_limits import SKETCH_BYTES_MAX, SKETCHES_BYTES_MAX
from footfall.tables.computed_row import ComputedFacts
from footfall.tables.computed_sketch import VALUES_EXACT, estimate, joined, of, sampled
from tests.tables import events
from tests.tables.traits import configured, definition

START = 1_700_000_000_000


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 3_000), st.integers(1, 6), st.integers(0, 2**32))
def test_bytes_depend_on_the_values_alone(count: int, parts: int, seed: int) -> None:
    """Shuffled, repeated, split in any way and joined in any order; below and above what is exact.
    """
    dice = random.Random(seed)
    values = [f"value {n}" for n in range(count)]
    whole = of(values)
    shuffled = values + dice.sample(values, count // 3)
    dice.shuffle(shuffled)
    split: list[list[str]] = [[] for _ in range(parts)]
    for value in shuffled:
        split[dice.randrange(parts)].append(value)
    sketches = [of(part) for part in split]
    while len(sketches) > 1:
        a = sketches.pop(dice.randrange(len(sketches)))
        b = sketches.pop(dice.randrange(len(sketches)))
        sketches.append(joined(a, b))
    assert whole == sketches[0]
    assert len(whole) <= SKETCH_BYTES_MAX


def test_one_by_one_gives_the_same_as_at_once() -> None:
    """As events bring them."""
    values = [str(n) for n in range(2 * VALUES_EXACT)]
    sketch = of(values[:1])
    for value in values[1:]:
        sketch = joined(sketch, of([value]))
    assert of(values) == sketch


def test_bytes_are_those_of_other_versions_and_machines() -> None:
    """Stored sketches must be joined with what later versions of the library make."""
    made = of(["anna", "bert"]).hex()
    assert "02030300001acc93" == made[:16]
    assert "073b5c1b3710d075" == hashlib.blake2b(
        of(str(n) for n in range(1_000)), digest_size=8).hexdigest()


def test_counts_exactly_up_to_its_size() -> None:
    """At the limit still; above it within three standard errors of 4.4 %."""
    for count in (0, 1, 2, VALUES_EXACT):
        assert count == estimate([of(str(n) for n in range(count))])
    for count in (VALUES_EXACT + 1, 5_000, 100_000):
        found = estimate([of(str(n) for n in range(count))])
        assert abs(found - count) <= 3 * count / VALUES_EXACT**0.5


def test_standard_error_is_what_is_said() -> None:
    """1 / sqrt(512) = 4.4 %, over many sets of values."""
    count, runs = 3_000, 120
    errors = [estimate([of(f"{run}/{n}" for n in range(count))]) / count - 1 for run in range(runs)]
    deviation = (sum(e * e for e in errors) / runs) ** 0.5
    assert 0.035 < deviation < 0.053


def test_a_sampled_sketch_still_counts() -> None:
    """It holds the part of the hashes that is asked for."""
    sketch = of(str(n) for n in range(400))
    half = sampled(sketch, 1)
    assert len(half) < len(sketch) * 0.6
    assert abs(estimate([half]) - 400) < 100
    assert half == sampled(half, 1)


@pytest.mark.parametrize(("a_bucket", "is_cut"), [(20, False), (25, True)])
def test_sketches_of_a_window_have_a_limit_together(a_bucket: int, is_cut: bool) -> None:
    """Past it a half of all values is kept, and the row is marked; the count stays near."""
    trait = definition("t", "distinct_count", window="30d")
    assert computed.TABLE.bind is not None
    observe = computed.TABLE.bind(configured(trait)).observe
    facts = ComputedFacts()
    days = 30
    for day in range(days):
        values = [f"{day}/{n}" for n in range(a_bucket)]
        at = START + day * 86_400_000
        facts = observe(facts, events.plain(at, "m", {"properties": {"value": values}}), at)
    assert is_cut == computed_facts.is_limited(facts)
    cells = computed_facts.state_of(facts.entries[0]).cells
    assert sum(map(len, cells[::2])) <= SKETCHES_BYTES_MAX
    found = computed_reading.value(facts, trait, START + days * 86_400_000)
    assert isinstance(found, int)
    assert abs(found - days * a_bucket) <= (0.2 * days * a_bucket if is_cut else 0)


def test_cutting_ends_where_no_value_is_left() -> None:
    """Every bucket of the longest window with a sketch as large as it can be."""
    full = of(str(n) for n in range(600))
    cells = computed_cells.cut((full, *[1, full] * 168))
    assert sum(map(len, cells[::2])) <= SKETCHES_BYTES_MAX


def test_the_library_is_loaded_only_where_it_is_declared() -> None:
    """It brings NumPy: nobody else pays for that."""
    script = ("import sys; from footfall.tables import computed; "
              "from tests.tables.traits import configured, definition; "
              "computed.TABLE.bind(configured(definition('t', 'count'))); "
              "print('datasketches' in sys.modules); "
              "computed.TABLE.bind(configured(definition('t', 'distinct_count'))); "
              "print('datasketches' in sys.modules)")
    run = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert ["False", "True"] == run.stdout.split()
