"""Which triggers wait for the index: a queue with a bound, against a list."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from footfall.stream.trigger_sending import SEND_TRIGGERS_MAX, TriggerSending

ADD = st.tuples(st.just("add"), st.lists(st.integers(0, 40), max_size=6))
STEPS = st.lists(ADD | st.tuples(st.sampled_from(("sent", "failed")), st.just([])), max_size=30)


@given(STEPS)
def test_it_is_a_queue_that_forgets_the_oldest(steps: list[tuple[str, list[int]]]) -> None:
    """Nothing is lost but what is counted, nothing comes twice, and the order stays."""
    sending, model, n, dropped = TriggerSending(100), list[bytes](), 0, 0

    def cut() -> int:
        gone = 0
        while sum(map(len, model)) > 100:
            del model[0]
            gone += 1
        return gone

    for what, sizes in steps:
        if what == "add":
            made = [b"%08d" % (n + i) + b"x" * size for i, size in enumerate(sizes)]
            n += len(made)
            model += made
            found, expected = sending.add(made), cut()
        else:
            batch = sending.take()
            assert model[: len(batch)] == batch
            assert bool(batch) == bool(model)
            found = expected = 0
            if what == "sent":
                del model[: len(batch)]
            else:
                found, expected = sending.again(batch), cut()
        assert (expected, len(model)) == (found, len(sending))
        dropped += found
    assert dropped <= n


def test_a_batch_is_bounded() -> None:
    sending = TriggerSending()
    assert 0 == sending.add([b"x"] * (3 * SEND_TRIGGERS_MAX))
    assert SEND_TRIGGERS_MAX == len(sending.take())
    sending = TriggerSending()
    assert 0 == sending.add([b"x" * 700_000] * 3)
    assert [2, 1, 0] == [len(sending.take()) for _ in range(3)]
