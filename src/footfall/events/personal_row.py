"""What of `personal` the tables read, as data: the members by their names on the wire.

Decides names and types only; `personal.py` reads them, whatever was sent. Stays interpreted
(setup.py).
"""

from __future__ import annotations

import msgspec

#: Stands for a member that was not sent, by identity; of free content null says no more.
ABSENT = msgspec.Raw(b"null")


class Device(msgspec.Struct):
    """`context.device`."""

    id: str | None = None
    type: str | None = None


class System(msgspec.Struct):
    """`context.os`."""

    name: str | None = None


class Context(msgspec.Struct, rename="camel"):
    """What an SDK says of where it runs."""

    device: Device | None = None
    os: System | None = None
    ip: str | None = None
    user_agent: str | None = None
    provenance: str | None = None
    traits: msgspec.Raw = ABSENT
    external_ids: msgspec.Raw = ABSENT
    #: As they were sent: what the item says of consent (`consent.py`).
    consent: msgspec.Raw = ABSENT
    consent_management: msgspec.Raw = ABSENT
    global_privacy_control: msgspec.Raw = ABSENT


class Personal(msgspec.Struct, rename="camel"):
    """The members that tables read; `properties` and `traits` stay as they were sent."""

    user_id: str | None = None
    anonymous_id: str | None = None
    previous_id: str | None = None
    context: Context | None = None
    properties: msgspec.Raw = ABSENT
    traits: msgspec.Raw = ABSENT
