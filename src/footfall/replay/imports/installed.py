"""Whether the secrets given are those of the installation, before anything is appended to its log.

Decides by what is there: the fingerprint that workers keep of the secret of customer keys, and the
newest records that only who has the system secret can have written. Under another customer key
every customer would be a stranger, for good; under another system secret every row is poison, and
enough of it stops the workers. Where nothing was ever written there is nothing to compare with.
Decides, too, that an archive is not imported into the log that it is of.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from footfall.admin.scan import Scanner, newest
from footfall.errors import DecodeError, FootfallError, SettingsError
from footfall.events.codec import InteractionCodec
from footfall.events.customer_key import CustomerKeys
from footfall.events.reserved import Reserved
from footfall.events.topics import CHANGELOG, INTERACTIONS
from footfall.replay.archive.log import identity_of
from footfall.replay.archive.manifest import Identity
from footfall.tables.record import decode_partition
from footfall.tables.stored import PARTITION_KEY

#: Of the newest records of a topic, in all.
RECORDS_MAX: Final = 20_000


def check(bootstrap: str, keys: CustomerKeys, reserved: Reserved, codec: InteractionCodec) -> None:
    """Raises `SettingsError` naming the secret that is another's."""
    with Scanner(bootstrap) as scanner:
        spans = newest(scanner.spans(CHANGELOG), RECORDS_MAX)
        for message in scanner.records(CHANGELOG, PARTITION_KEY, spans):
            if message.value() is None:
                continue
            found = decode_partition(message.value()).key_fingerprint
            if found and found != keys.fingerprint:
                raise SettingsError("customer_key_secret is not that of the workers: with it every "
                                    "customer would be a stranger. Give "
                                    "FOOTFALL_CUSTOMER_KEY_SECRET the value that they have")
        spans = newest(scanner.spans(INTERACTIONS), RECORDS_MAX)
        judged = {_is_ours(message.key(), message.value(), reserved, codec)
                  for message in scanner.records(INTERACTIONS, None, spans)}
    if False in judged and True not in judged:
        raise SettingsError("system_secret is not that of the workers: they would reject every "
                            "row. Give FOOTFALL_SYSTEM_SECRET the value that they have")


def refuse_own(archived: Collection[Identity], bootstrap: str) -> None:
    """Raises `FootfallError` where an archive is of the log that it would be imported into: there
    all of it has been counted.
    """
    if not archived:
        return
    log = identity_of(bootstrap)
    for one in archived:
        if one == log or (one.topic_id and one.topic_id == log.topic_id):
            raise FootfallError(
                "the archive is of the very log that it would be imported into: all that is in it "
                "has been counted there. It is for another installation: set "
                "FOOTFALL_KAFKA_BOOTSTRAP_SERVERS to that one's")


def _is_ours(key: bytes | None, value: bytes | None, reserved: Reserved, codec: InteractionCodec
             ) -> bool | None:
    """Whether a reserved record was written under our secret; None for all others."""
    try:
        event = codec.decode(value)
    except DecodeError:
        return None
    if event["system"] is None:
        return None
    try:
        reserved.check(event, key or b"")
    except DecodeError:
        return False
    return True
