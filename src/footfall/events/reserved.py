"""Reserved log records ($tick, $handoff, $config, ...), and the MAC that says who wrote them.

Whoever may write the log could otherwise inject any row into any customer. Only workers, delivery
and the administrator hold the key (`FOOTFALL_SYSTEM_SECRET`); a reserved record without a valid MAC
is poison (law 5). Must never be given personal data outside `personal`.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from typing import Final, TypeVar

import msgspec

from footfall.errors import DecodeError
from footfall.events import outcomes
from footfall.events.customer_key import SECRET_BYTES_MIN
from footfall.events.interaction import (
    CONFIG,
    CUTOVER,
    DELIVERY,
    HANDOFF,
    IMPORT,
    TICK,
    UNMERGE,
    Interaction,
)
from footfall.events.reserved_row import (
    ConfigPayload,
    Cutover,
    DeliveryPayload,
    Handoff,
    ImportPayload,
    Unmerge,
)

_MAC_BYTES: Final = 16
#: Each part is preceded by its length.
_length = struct.Struct(">Q").pack
_T = TypeVar("_T")

_handoff = msgspec.msgpack.Decoder(Handoff)
_unmerge = msgspec.msgpack.Decoder(Unmerge)
_config = msgspec.msgpack.Decoder(ConfigPayload)
_cutover = msgspec.msgpack.Decoder(Cutover)
_delivery = msgspec.msgpack.Decoder(DeliveryPayload)
_import = msgspec.msgpack.Decoder(ImportPayload)
#: A $delivery in an $import: the fields of its payload by name.
_past = msgspec.json.Decoder(dict[str, dict[str, str | int]])
#: No type of a record: what is hashed under it is the MAC of none.
_DELIVERY_ID: Final = "delivery_id"


class Reserved:
    """Makes and checks reserved records under one key."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) < SECRET_BYTES_MIN:
            raise ValueError(f"system_secret needs at least {SECRET_BYTES_MIN} bytes")
        key = hashlib.blake2b(secret, digest_size=32, person=b"reserved").digest()
        # Copying a prepared state is twice as fast as hashing with a key anew.
        self._new_mac = hashlib.blake2b(key=key, digest_size=_MAC_BYTES).copy

    def tick(self, now: int) -> Interaction:
        """Moves the clock of a partition on when nothing else does."""
        return self._record(TICK, TICK.encode(), b"", b"", now)

    def handoff(self, key: bytes, move: Handoff, rows: bytes) -> Interaction:
        """Rows for the customer `key`."""
        payload = msgspec.msgpack.encode(move if move.muted else (
            move.sender, move.partition, move.offset, move.n, move.appended_at))
        return self._record(HANDOFF, key, payload, rows, move.appended_at)

    def config(self, payload: ConfigPayload, now: int) -> Interaction:
        """A configuration; one record for each partition."""
        return self._record(CONFIG, CONFIG.encode(), msgspec.msgpack.encode(payload), b"", now)

    def read_handoff(self, event: Interaction, key: bytes) -> Handoff:
        """The move that a $handoff names; raises `DecodeError` if it is forged or broken."""
        return self._open(event, key, _handoff)

    def unmerge(self, key: bytes, asked: Unmerge, sides: bytes, now: int) -> Interaction:
        """Identifiers leave the customer `key`, with the rows of both sides."""
        return self._record(UNMERGE, key, msgspec.msgpack.encode(asked), sides, now)

    def read_unmerge(self, event: Interaction, key: bytes) -> Unmerge:
        """What an $unmerge asks for; raises `DecodeError` if it is forged or broken."""
        return self._open(event, key, _unmerge)

    def delivery(self, key: bytes, payload: DeliveryPayload, now: int) -> Interaction:
        """What became of a delivery to the customer `key`, at `now` (ms of the sender's clock).
        The same outcome of the same trigger at the same destination has the same messageId, by
        which a repeat is recognised; nobody without the secret can tell it beforehand.
        """
        payload = msgspec.structs.replace(payload, at=now)
        record = self._record(DELIVERY, key, msgspec.msgpack.encode(payload), b"", now)
        seen = self._seen(payload)  # in the envelope it is for those who read the log
        record["event"], record["message_id"] = seen["event"], seen["message_id"]
        record["source"], record["channel"] = seen["source"], seen["channel"]
        return record

    def read_delivery(self, event: Interaction, key: bytes) -> Interaction:
        """A $delivery as tables see it; raises `DecodeError` if it is forged or broken."""
        return self._seen(self._open(event, key, _delivery))

    def past_delivery(self, event: Interaction, key: bytes, at_max: int) -> Interaction:
        """A $delivery of another log as it is to be imported: it came out at `at_max` (ms) at the
        latest. Its payload is what `personal` holds, which the MAC of an import covers.
        """
        payload = self._open(event, key, _delivery)
        payload = msgspec.structs.replace(payload, at=min(payload.at, at_max))
        past = self._seen(payload)
        past["personal"] = msgspec.json.encode({"properties": msgspec.structs.asdict(payload)})
        return past

    def passed_delivery(self, event: Interaction) -> Interaction:
        """The same of one that was read before, at another key: it came in a $handoff."""
        system = event["system"]
        assert system is not None
        return self._seen(_delivery.decode(system["payload"]))

    def imported(self, key: bytes, event: Interaction, payload: ImportPayload, now: int
                 ) -> Interaction:
        """An interaction of the customer `key` as an import brings it, at `now` (ms of the
        importer's clock). All but its type stays in the envelope. The MAC covers type, row, key and
        `personal`; the rest is no more sure than of any interaction, which has no MAC at all.
        """
        named = payload.run, payload.row, event["type"]
        said = msgspec.msgpack.encode((*named, True) if payload.logged else named)
        record = self._record(IMPORT, key, said, event["personal"], now)
        record["event"], record["message_id"] = event["event"], event["message_id"]
        record["event_time"], record["commerce"] = event["event_time"], event["commerce"]
        record["source"], record["channel"] = event["source"], event["channel"]
        record["key_id"] = event["key_id"]
        return record

    def read_import(self, event: Interaction, key: bytes) -> tuple[ImportPayload, Interaction]:
        """What an $import says of its row, and the interaction as tables see it; raises
        `DecodeError` if it is forged or broken.
        """
        payload = self._open(event, key, _import)
        return payload, self._restored(event, payload)

    def passed_import(self, event: Interaction) -> Interaction:
        """The interaction of one that was read before, at another key: it came in a $handoff."""
        system = event["system"]
        assert system is not None
        return self._restored(event, _import.decode(system["payload"]))

    def read_config(self, event: Interaction, key: bytes) -> ConfigPayload:
        """The content of a $config; raises `DecodeError` if it is forged or broken."""
        return self._open(event, key, _config)

    def cutover(self, generation: int, now: int) -> Interaction:
        """From here on a partition's state is that of another changelog; one for each partition."""
        payload = msgspec.msgpack.encode(Cutover(generation))
        return self._record(CUTOVER, CUTOVER.encode(), payload, b"", now)

    def read_cutover(self, event: Interaction, key: bytes) -> int:
        """The generation that a $cutover names; raises `DecodeError` if it is forged or broken."""
        return self._open(event, key, _cutover).generation

    def check(self, event: Interaction, key: bytes) -> bytes:
        """The payload of a reserved record; raises `DecodeError` if its MAC is not ours."""
        system = event["system"]
        if system is None or not hmac.compare_digest(
            system["mac"], self._mac(event["type"], key, system["payload"], event["personal"])
        ):
            raise DecodeError("reserved_forged", f"{event['type']} without a valid MAC")
        return system["payload"]

    def _open(self, event: Interaction, key: bytes, decoder: msgspec.msgpack.Decoder[_T]) -> _T:
        payload = self.check(event, key)
        try:
            return decoder.decode(payload)
        except msgspec.MsgspecError:
            raise DecodeError("reserved_unreadable", f"payload of {event['type']}") from None

    def _seen(self, payload: DeliveryPayload) -> Interaction:
        cause = msgspec.msgpack.encode((payload.trigger_id, payload.destination, payload.outcome))
        return outcomes.seen(
            payload, f"delivery-{self._mac(_DELIVERY_ID, b'', cause, b'').hex()}")

    def _restored(self, event: Interaction, payload: ImportPayload) -> Interaction:
        """The interaction that was imported. Of what became of a delivery, which is no word of the
        customer's, nothing is read that the MAC does not cover.
        """
        if payload.type == DELIVERY:
            try:
                fields = _past.decode(event["personal"])["properties"]
                return self._seen(msgspec.convert(
                    [fields[name] for name in DeliveryPayload.__struct_fields__], DeliveryPayload))
            except (msgspec.MsgspecError, KeyError):
                raise DecodeError("reserved_unreadable", f"personal of {IMPORT}") from None
        return {
            "type": payload.type, "event": event["event"], "message_id": event["message_id"],
            "event_time": event["event_time"], "received_at": event["received_at"],
            "source": event["source"], "channel": event["channel"], "commerce": event["commerce"],
            "system": None, "key_id": event["key_id"], "personal": event["personal"],
        }

    def _record(
        self, kind: str, key: bytes, payload: bytes, personal: bytes, now: int
    ) -> Interaction:
        return {
            "type": kind, "event": "", "message_id": kind, "event_time": now, "received_at": now,
            "source": "", "channel": "", "commerce": None,
            "system": {"mac": self._mac(kind, key, payload, personal), "payload": payload},
            "key_id": None, "personal": personal,
        }

    def _mac(self, kind: str, key: bytes, payload: bytes, personal: bytes) -> bytes:
        state = self._new_mac()
        named = kind.encode()
        state.update(b"".join((_length(len(named)), named, _length(len(key)), key,
                               _length(len(payload)), payload, _length(len(personal)), personal)))
        return state.digest()
