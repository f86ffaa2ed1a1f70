"""Reserved records: whoever has not the key cannot write one (law 5)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.errors import DecodeError
from footfall.events.codec import Codecs
from footfall.events.interaction import CONFIG, DELIVERY, HANDOFF, IMPORT, TICK, Interaction
from footfall.events.reserved import Reserved
from footfall.events.reserved_row import ConfigPayload, Handoff, ImportPayload

KEY = b"user_id:AAAAAAAAAAAAAAAAAAAAAA"
OTHER = b"user_id:BBBBBBBBBBBBBBBBBBBBBB"
RESERVED = Reserved(b"the secret of these tests")
MOVE = Handoff(OTHER, 3, 42, 1, 1_790_000_000_000)
CODEC = Codecs().interaction
ORDER: Interaction = {
    "type": "track", "event": "Order Completed", "message_id": "m1", "event_time": 852_076_800_000,
    "received_at": 1_790_000_000_000, "source": "cdnow", "channel": "web", "commerce": None,
    "system": None, "key_id": None, "personal": b'{"userId":"u1"}'}
ROW = ImportPayload(run="1", row=b"sixteen bytes of")


def handoff() -> Interaction:
    return RESERVED.handoff(KEY, MOVE, b"rows")


def system(event: Interaction, **changed: Any) -> Interaction:
    assert event["system"] is not None
    return {**event, "system": {**event["system"], **changed}}  # type: ignore[typeddict-item]


def flipped(data: bytes) -> list[bytes]:
    return [data[:n] + bytes([data[n] ^ 1 << bit]) + data[n + 1:]
            for n in range(len(data)) for bit in range(8)]


def forged(event: Interaction, key: bytes = KEY) -> bool:
    with pytest.raises(DecodeError) as error:
        RESERVED.read_handoff(event, key)
    return error.value.reason == "reserved_forged"


def test_what_is_written_is_read() -> None:
    """All three types, through the wire."""
    assert MOVE == RESERVED.read_handoff(CODEC.decode(CODEC.encode(handoff())), KEY)
    payload = ConfigPayload(7, b'{"cart":{}}')
    event = CODEC.decode(CODEC.encode(RESERVED.config(payload, 5)))
    assert (CONFIG, payload) == (event["type"], RESERVED.read_config(event, CONFIG.encode()))
    tick = CODEC.decode(CODEC.encode(RESERVED.tick(5)))
    assert b"" == RESERVED.check(tick, TICK.encode())


@given(number=st.integers(0, 2**63 - 1), content=st.binary())
def test_any_configuration_round_trips(number: int, content: bytes) -> None:
    """Whatever its content."""
    payload = ConfigPayload(number, content)
    assert payload == RESERVED.read_config(RESERVED.config(payload, 0), CONFIG.encode())


def test_every_flipped_bit_is_forged() -> None:
    """Of the MAC, the payload, the rows, the type and the key."""
    event = handoff()
    assert event["system"] is not None
    harmed = [
        *(system(event, mac=mac) for mac in flipped(event["system"]["mac"])),
        *(system(event, payload=payload) for payload in flipped(event["system"]["payload"])),
        *({**event, "personal": rows} for rows in flipped(event["personal"])),
    ]
    assert len(harmed) == 8 * (16 + len(event["system"]["payload"]) + 4)
    assert all(forged(one) for one in harmed)
    assert all(forged(event, key) for key in flipped(KEY))


@pytest.mark.parametrize("mac", [b"", b"\0", b"\0" * 16, b"\0" * 17])
def test_mac_of_another_length_is_forged(mac: bytes) -> None:
    """Also none at all."""
    assert forged(system(handoff(), mac=mac))


def test_cut_mac_is_forged() -> None:
    """A beginning of the right one is not the right one."""
    event = handoff()
    assert event["system"] is not None
    assert forged(system(event, mac=event["system"]["mac"][:15]))


def test_record_without_system_is_forged() -> None:
    """Anybody can write the type."""
    assert forged({**handoff(), "system": None})


def test_another_customers_handoff_is_forged() -> None:
    """A record copied under another key does not move rows there."""
    assert forged(handoff(), OTHER)


def test_another_type_is_forged() -> None:
    """A tick is no handoff, though its MAC is ours."""
    assert forged({**RESERVED.tick(0), "type": HANDOFF}, TICK.encode())


def test_bytes_moved_between_fields_are_forged() -> None:
    """The MAC knows where each part ends."""
    event = handoff()
    assert event["system"] is not None
    moved = system(event, payload=event["system"]["payload"] + event["personal"])
    assert forged({**moved, "personal": b""})


def test_another_secret_is_forged() -> None:
    """Another installation's records are not ours."""
    assert forged(Reserved(b"another secret of others").handoff(KEY, MOVE, b"rows"))


def test_own_mac_over_an_unreadable_payload() -> None:
    """Written by other code of ours: refused, under another reason."""
    event = RESERVED.config(ConfigPayload(1, b"{}"), 0)
    with pytest.raises(DecodeError, match="reserved_unreadable"):
        RESERVED.read_handoff({**event, "type": CONFIG}, CONFIG.encode())


def test_short_secret_is_refused() -> None:
    """It could be guessed."""
    with pytest.raises(ValueError, match="at least 16 bytes"):
        Reserved(b"short")


def test_imported_interaction_is_read_as_it_was() -> None:
    """Through the wire, and at another key, where a $handoff brought it."""
    record = CODEC.decode(CODEC.encode(RESERVED.imported(KEY, ORDER, ROW, 1_790_000_000_000)))
    assert IMPORT == record["type"]
    assert (ROW, ORDER) == RESERVED.read_import(record, KEY)
    assert ORDER == RESERVED.passed_import(record)


@pytest.mark.parametrize("call", ["identify", "track", "page", "screen", "group", "alias"])
def test_every_call_can_be_imported(call: str) -> None:
    """Its type comes back."""
    event: Interaction = {**ORDER, "type": call}
    assert event == RESERVED.read_import(RESERVED.imported(KEY, event, ROW, 1_790_000_000_000),
                                         KEY)[1]


def test_import_under_another_key_or_row_is_forged() -> None:
    """What makes it that row of that customer is covered by the MAC."""
    record = RESERVED.imported(KEY, ORDER, ROW, 1_790_000_000_000)
    assert record["system"] is not None
    other = RESERVED.imported(KEY, ORDER, ImportPayload("1", b"another row of it"[:16]), 0)
    assert other["system"] is not None
    for harmed, key in ((record, OTHER), ({**record, "personal": b"{}"}, KEY),
                        (system(record, payload=other["system"]["payload"]), KEY)):
        with pytest.raises(DecodeError, match="reserved_forged"):
            RESERVED.read_import(harmed, key)  # type: ignore[arg-type]


def test_import_of_a_reserved_record_is_unreadable() -> None:
    """Nobody imports a $handoff, nor a row without its id."""
    for payload in (["1", b"sixteen bytes of", HANDOFF], ["1", b"short", "track"]):
        made = RESERVED._record(IMPORT, KEY, msgspec.msgpack.encode(payload), b"", 0)
        with pytest.raises(DecodeError, match="reserved_unreadable"):
            RESERVED.read_import(made, KEY)


def test_imports_from_files_have_the_bytes_they_had() -> None:
    """Only one from another log says more, and what says less is from a file."""
    logged = msgspec.structs.replace(ROW, logged=True)
    for payload, size in ((ROW, 3), (logged, 4)):
        made = RESERVED.imported(KEY, ORDER, payload, 0)
        assert made["system"] is not None
        assert size == len(msgspec.msgpack.decode(made["system"]["payload"]))
        assert payload == RESERVED.read_import(made, KEY)[0]


@pytest.mark.parametrize("personal", [b"{}", b"[]", b"", b'{"properties":{"outcome":"opened"}}',
                                      b'{"properties":{"outcome":1}}'])
def test_import_of_a_delivery_that_says_too_little_is_unreadable(personal: bytes) -> None:
    """Ours by its MAC, and none all the same."""
    event: Interaction = {**ORDER, "type": DELIVERY, "personal": personal}
    with pytest.raises(DecodeError, match="reserved_unreadable"):
        RESERVED.read_import(RESERVED.imported(KEY, event, ROW, 0), KEY)


def test_handoffs_of_live_moves_have_the_bytes_they_had() -> None:
    """Only a muted one says more, and what says less is not muted."""
    live = handoff()["system"]
    muted = RESERVED.handoff(KEY, msgspec.structs.replace(MOVE, muted=True), b"rows")
    assert live is not None
    assert msgspec.msgpack.encode([*msgspec.structs.astuple(MOVE)[:5]]) == live["payload"]
    assert MOVE == RESERVED.read_handoff(handoff(), KEY)
    assert RESERVED.read_handoff(muted, KEY).muted
