"""The client that an app calls: `track` and its siblings, `flush`, `close`.

Decides what the host app may rely on: a call takes microseconds, never raises unless `strict`, and
never waits for the network unless `sync_mode`. The forms of the calls are those of
segment-analytics-python, so that moving is a change of import. Works in threads, in forked workers
(a child has a queue and a sender of its own and sends nothing of its parent's) and in short scripts
(the end of the process waits `exit_s_max` for what is still to be sent).
"""

from __future__ import annotations

import atexit
import logging
import os
import time
from collections import deque
from collections.abc import Mapping
from typing import Unpack

from footfall.sdk import message as items
from footfall.sdk.commerce import Commerce
from footfall.sdk.config import Options, configure
from footfall.sdk.drops import Counts, DroppedError, Message
from footfall.sdk.message import Call, Common, Decision, Id, Time, Values
from footfall.sdk.pipeline import Pipeline

log = logging.getLogger("footfall")

FLUSH_S_MAX = 10.0
#: Calls that test mode remembers.
CALLS_MAX = 10_000


class Client:
    """Sends interactions to a Footfall collector, in the background.

    `options` are those of `footfall.sdk.config.Config`; docs/sdk.md has them in a table.
    """

    def __init__(self, write_key: str | None = None, host: str | None = None,
                 **options: Unpack[Options]) -> None:
        self._config = configure(write_key, host, options)
        #: What test mode has recorded, oldest first.
        self.calls: deque[Message] = deque(maxlen=CALLS_MAX)
        #: Typed calls for the e-commerce events: `client.commerce.product_added(...)`.
        self.commerce = Commerce(self.track)
        self._pipeline = Pipeline(self._config)
        _clients.add(self)

    def identify(self, user_id: Id | None = None, traits: Values | None = None,
                 context: Values | None = None, timestamp: Time | None = None,
                 anonymous_id: Id | None = None, integrations: Values | None = None,
                 message_id: object = None) -> Call:
        """Who a customer is, and what is known of them."""
        return self._call("identify", Common(user_id, anonymous_id, context, timestamp,
                                             integrations, message_id),
                          {"traits": traits})

    def track(self, user_id: Id | None = None, event: str | None = None,
              properties: Values | None = None, context: Values | None = None,
              timestamp: Time | None = None, anonymous_id: Id | None = None,
              integrations: Values | None = None, message_id: object = None) -> Call:
        """What a customer did."""
        return self._call("track", Common(user_id, anonymous_id, context, timestamp, integrations,
                                          message_id),
                          {"event": event, "properties": properties})

    def page(self, user_id: Id | None = None, category: str | None = None,
             name: str | None = None, properties: Values | None = None,
             context: Values | None = None, timestamp: Time | None = None,
             anonymous_id: Id | None = None, integrations: Values | None = None,
             message_id: object = None) -> Call:
        """A page that a customer saw."""
        return self._call("page", Common(user_id, anonymous_id, context, timestamp, integrations,
                                         message_id),
                          {"name": name, "category": category, "properties": properties})

    def screen(self, user_id: Id | None = None, category: str | None = None,
               name: str | None = None, properties: Values | None = None,
               context: Values | None = None, timestamp: Time | None = None,
               anonymous_id: Id | None = None, integrations: Values | None = None,
               message_id: object = None) -> Call:
        """A screen of an app that a customer saw."""
        return self._call("screen", Common(user_id, anonymous_id, context, timestamp, integrations,
                                           message_id),
                          {"name": name, "category": category, "properties": properties})

    def group(self, user_id: Id | None = None, group_id: Id | None = None,
              traits: Values | None = None, context: Values | None = None,
              timestamp: Time | None = None, anonymous_id: Id | None = None,
              integrations: Values | None = None, message_id: object = None) -> Call:
        """A company or household that a customer belongs to."""
        return self._call("group", Common(user_id, anonymous_id, context, timestamp, integrations,
                                          message_id),
                          {"groupId": group_id, "traits": traits})

    def alias(self, previous_id: Id | None = None, user_id: Id | None = None,
              context: Values | None = None, timestamp: Time | None = None,
              integrations: Values | None = None, message_id: object = None) -> Call:
        """Another id of the same customer."""
        return self._call("alias", Common(user_id, None, context, timestamp, integrations,
                                          message_id),
                          {"previousId": previous_id})

    def consent(self, user_id: Id | None = None,
                purposes: Mapping[str, bool | str] | None = None,
                context: Values | None = None, timestamp: Time | None = None,
                anonymous_id: Id | None = None, message_id: object = None, *,
                channel: str | None = None, expires_at: Time | None = None,
                wording_version: str | int | None = None) -> Call:
        """What a customer allows, purpose by purpose: true or false, or how they put it (`granted`,
        `denied`, `withdrawn`); on a channel, or on every one.
        """
        return self._call("track", Common(user_id, anonymous_id, context, timestamp, None,
                                          message_id),
                          {"event": items.CONSENT_EVENT},
                          Decision(purposes, channel, expires_at, wording_version))

    def flush(self, timeout_s: float = FLUSH_S_MAX) -> bool:
        """Send at once; whether everything called before has found its end in that time."""
        return self._pipeline.flush(timeout_s)

    def close(self, timeout_s: float = FLUSH_S_MAX) -> None:
        """Send what waits, for so long at most; what then is left is dropped, or in the spool."""
        self._pipeline.close(timeout_s)
        _clients.discard(self)

    def join(self) -> None:
        """Segment's name for `close`."""
        self.close()

    def shutdown(self) -> None:
        """Another of Segment's names for `close`."""
        self.close()

    def counts(self) -> Counts:
        """What became of all calls of this process."""
        return self._pipeline.counts()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _call(self, kind: str, common: Common, rest: Message,
              decision: Decision | None = None) -> Call:
        message: Message = {}
        pipeline = self._pipeline
        try:
            if decision is not None:
                common, rest = items.decided(common, rest, decision)
            message = items.message(kind, common, rest, pipeline.ids, self._config.channel)
            data, left_out = items.encode(message)
        except DroppedError as error:
            pipeline.drops.drop(error, [message])
            return self._refused(error, message)
        except Exception as failure:
            # Not even a mistake of ours may cost the host app more than this item.
            broken = DroppedError("unencodable", type(failure).__name__)
            pipeline.drops.drop(broken, [message])
            return self._refused(broken, message)
        if left_out:
            pipeline.drops.left_out(left_out)
        if self._config.debug:
            log.debug("%s, %d bytes", kind, len(data))
        if self._config.test_mode:
            self.calls.append(message)
        elif self._config.send:
            try:
                pipeline.put(data)
            except DroppedError as error:
                return self._refused(error, message)
        return Call(True, message)

    def _refused(self, error: DroppedError, message: Message) -> Call:
        if self._config.strict:
            raise error from None
        return Call(False, message)

    def _restart(self) -> None:
        """In a forked child: the parent sends what was queued before; begin anew."""
        try:
            self._pipeline.forget()
        except Exception as error:  # it was caught in the middle of something
            log.error("a forked child could not let go: %s", type(error).__name__)
        self._pipeline = Pipeline(self._config, forked=True)


def _close_all() -> None:
    began = time.monotonic()
    for client in list(_clients):
        left = client._config.exit_s_max - (time.monotonic() - began)
        client.close(max(left, 0.0))


def _restart_all() -> None:
    for client in list(_clients):
        client._restart()


#: A client lives until it is closed.
_clients: set[Client] = set()
atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_restart_all)
