"""Writes items straight to Kafka, as the collector would: for trusted back ends only.

Whoever uses it holds the customer-key secret and may write any customer's interactions, so it must
never run where a customer could reach it. Decides nothing of its own: `events/admit.py` judges,
keys and shapes each item, the codec and the partitioner are the collector's. Times are taken as
stated: the clock of a back end is not corrected. Rejected items come back to the app and are not
written to footfall.rejected, which is the collector's.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from typing import Any

from footfall.errors import FootfallError, Rejected, SettingsError
from footfall.events.admit import admit
from footfall.events.arrival import Arrival
from footfall.events.codec import Codecs
from footfall.events.customer_key import CustomerKeys
from footfall.events.topics import INTERACTIONS
from footfall.kafka.confluent import confluent
from footfall.kafka.security import Cluster
from footfall.sdk.outcome import Again, Outcome, Result, Taken


class KafkaTransport:
    """The log. For one thread at a time."""

    def __init__(self, cluster: Cluster, secret: str, source: str, registry_url: str,
                 timeout_s: float) -> None:
        try:
            import confluent_kafka  # noqa: F401 (found now, not when the first item is sent)

            self._keys = CustomerKeys(secret.encode())
        except ImportError:
            raise SettingsError("footfall.Client: transport 'kafka' needs the extra `server`"
                                ) from None
        except ValueError as error:
            raise SettingsError(f"footfall.Client: {error}") from None
        #: Its files are looked at now, when a mistake can still be told.
        self._reached = confluent(cluster)
        self._source = source
        self._registry_url = registry_url
        self._timeout_s = timeout_s
        #: Made by the thread that sends, in the process that sends: it has threads of its own.
        self._producer: Any = None
        self._codecs: Codecs | None = None

    def deliver(self, items: Sequence[bytes]) -> Outcome:
        """Write the items; taken when every one is acknowledged by all in-sync replicas."""
        try:
            codecs = self._connect()
        except FootfallError as error:
            return Again(f"kafka_{type(error).__name__}")
        arrival = Arrival(self._source, time.time_ns() // 1_000_000, secrets.token_hex(16))
        results: list[Result] = []
        failures: list[str] = []
        waiting = 0
        is_broken = False

        def report(error: Any, _message: Any) -> None:
            nonlocal waiting, is_broken
            waiting -= 1
            if error is not None:
                failures.append(error.name())
                is_broken |= error.fatal()

        for n, item in enumerate(items):
            outcome = admit(item, n, arrival, self._keys)
            if isinstance(outcome, Rejected):
                results.append(Result("rejected", outcome.reason, outcome.detail))
                continue
            results.append(Result())
            waiting += 1
            try:
                self._producer.produce(INTERACTIONS, codecs.interaction.encode(outcome.event),
                                       outcome.key, on_delivery=report)
            except Exception as error:  # BufferError, KafkaException
                waiting -= 1
                failures.append(type(error).__name__)
        self._producer.flush(self._timeout_s + 1.0)
        if waiting or is_broken:
            self._producer = None  # it can do no more; the next attempt makes another
        if waiting or failures:
            return Again(f"kafka_{failures[0] if failures else 'timeout'}")
        return Taken(results)

    def close(self) -> None:
        """Nothing waits: every `deliver` has flushed."""
        self._producer = None

    def forget(self) -> None:
        """In a forked child: the producer's threads are not there, so it cannot even be ended."""
        if self._producer is not None:
            _inherited.append(self._producer)
            self._producer = None

    def _connect(self) -> Codecs:
        if self._codecs is None:
            from footfall.events.registry import codecs_for

            self._codecs = codecs_for(self._registry_url)
        if self._producer is None:
            from confluent_kafka import Producer

            self._producer = Producer({
                **self._reached,
                "client.id": f"footfall-python-{self._source}",
                "acks": "all",
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "message.timeout.ms": int(self._timeout_s * 1000),
                "reconnect.backoff.max.ms": 1000,
                "log_level": 2,
            })
        return self._codecs


#: Producers of a parent process.
_inherited: list[Any] = []
