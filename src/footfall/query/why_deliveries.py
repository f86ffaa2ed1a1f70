"""What became of a trigger: its deliveries, for `footfall why`.

Decides how far is read: the customer's partition of footfall.deliveries from the instant on at
which the trigger fired (less what brokers' clocks may differ), and at most so many records. Must
never fail an explanation: where the account cannot be read in full there is none.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import click

from footfall.delivery.deliveries_account import Delivery
from footfall.delivery.deliveries_filter import Filter
from footfall.delivery.deliveries_log import DeliveriesLog
from footfall.delivery.deliveries_shown import next_of, shown
from footfall.errors import BrokerError
from footfall.events import times
from footfall.events.codec import Codecs
from footfall.view.trigger import Document

#: Law 4 takes a clock that is further ahead for a broken one.
SKEW_MS_MAX = 60_000
#: What an explanation has of itself already.
_OF_TRIGGER = ("trigger_id", "trigger", "customer_key", "emitted_at")


def deliveries_of(bootstrap: str, codecs: Codecs, explained: Mapping[str, Any], records_max: int
                  ) -> list[Document] | None:
    """The deliveries of an explained trigger, each as it is now; None where the account cannot be
    read, or holds more since than may be read.
    """
    since = times.read(explained["emitted_at"]) - SKEW_MS_MAX
    wanted = Filter(customer_key=explained["customer_key"], trigger_id=explained["trigger_id"],
                    since=max(1, since))
    if not bootstrap:
        return None
    try:
        with DeliveriesLog(bootstrap, codecs) as log:
            bounds = log.bounds(wanted, records_max)
            if bounds.is_cut:
                return None
            with click.progressbar(length=bounds.records, label="reading its deliveries",
                                   file=sys.stderr, hidden=not sys.stderr.isatty()) as progress:
                log.progress = progress.update
                (account,) = (found for _partition, found in log.accounts(bounds, wanted))
    except BrokerError:
        return None
    disabled = {switched.destination for switched in account.disabled()}
    return [_shown(one, one.destination in disabled)
            for _key, one in sorted(account.deliveries.items())]


def _shown(one: Delivery, is_disabled: bool) -> Document:
    document = {name: value for name, value in shown(one).items() if name not in _OF_TRIGGER}
    return {**document, "next": next_of(one, is_disabled)}
