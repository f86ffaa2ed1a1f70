"""How far the clocks differ that Footfall goes by: this machine's, each broker's, the programs'.

Law 4 goes by the brokers' clock, and a worker holds a record that was appended more than 60 s ahead
of its own. Nothing is written to find out: no question of Kafka's tells a broker's clock, but

- the newest record of a partition was appended by then: a broker's clock is not before that;
- where a record comes while we look, it was appended between two questions: both bounds at once;
- a worker has measured it at its last append, and says so at `/readyz`;
- an answer over HTTP has a Date.

So with traffic, or with a worker, both directions are known, and else whether a broker is ahead.
2026-11-26: a record of ours in a topic of its own was considered, and left: it takes rights that
nobody else needs, and each of the above is there in an installation that works.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from typing import Final

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from footfall.doctor.asking import Ahead, Answer, Question, ask, readyz, shown
from footfall.doctor.brokers import reached
from footfall.doctor.findings import Finding
from footfall.doctor.programs import collector_url
from footfall.doctor.prometheus import VERSION_PATH
from footfall.doctor.registry import trusted
from footfall.events.topics import DELIVERIES, INTERACTIONS, REJECTED, TRIGGERS
from footfall.settings import Settings
from footfall.view.workers import addresses

#: A worker holds what was appended further ahead of its clock (law 4).
HELD_S: Final = 60.0
#: From here on silences are judged late, or deadlines have to settle.
OFF_S: Final = 5.0
LOOK_S: Final = 2.0
LOOK_EVERY_S: Final = 0.2
ANSWER_S_MAX: Final = 5.0
#: Topics whose append times are the brokers'.
_TOPICS: Final = (INTERACTIONS, TRIGGERS, DELIVERIES, REJECTED)
_CHANGE: Final = "keep the clocks of all machines by NTP (chrony, systemd-timesyncd)"
_UNKNOWN: Final = Ahead(-math.inf, math.inf)


def clocks(settings: Settings, question: Question = readyz) -> Iterator[Finding]:
    """All that can be known without writing."""
    for name, answer in _programs(settings, question):
        if answer.ahead is not None:
            yield judged(name, answer.ahead)
        said = answer.said if isinstance(answer.said, dict) else {}
        skew = said.get("broker_clock_ahead_s")
        if isinstance(skew, int | float):
            yield judged(f"brokers by {name}", Ahead(skew, skew))
    for name, url, path, tls in (("registry", settings.schema_registry_url, "/subjects", trusted()),
                                 ("prometheus", settings.prometheus_url, VERSION_PATH, None)):
        ahead = ask(url, path, tls=tls).ahead if url else None
        if ahead is not None:
            yield judged(f"{name} {shown(url)}", ahead)
    admin = reached(settings)
    if admin is not None:
        measured = of_brokers(admin)
        for broker, ahead in sorted(measured.items()):
            yield judged(f"broker {broker}", ahead)
        yield from between(measured)


def of_brokers(admin: AdminClient, look_s: float = LOOK_S) -> dict[int, Ahead]:
    """Broker -> how far its clock is ahead of ours, by the partitions that it leads."""
    leaders = {TopicPartition(name, number): part.leader
               for name, topic in admin.list_topics(timeout=ANSWER_S_MAX).topics.items()
               if name in _TOPICS for number, part in topic.partitions.items() if part.leader >= 0}
    found = dict.fromkeys(leaders.values(), _UNKNOWN)
    before: dict[TopicPartition, tuple[int, float]] = {}
    until = time.monotonic() + look_s
    while leaders:
        asked_at = time.time()
        newest = _newest(admin, leaders)
        answered_at = time.time()
        for place, (offset, appended_s) in newest.items():
            ahead = found[leaders[place]]
            least = max(ahead.least, appended_s - answered_at)
            most = ahead.most
            if place in before and before[place][0] < offset:
                most = min(most, appended_s - before[place][1])
            found[leaders[place]] = Ahead(least, max(least, most))
            before[place] = (offset, asked_at)
        if time.monotonic() > until:
            break
        time.sleep(LOOK_EVERY_S)
    return {broker: ahead for broker, ahead in found.items() if ahead != _UNKNOWN}


def judged(name: str, ahead: Ahead) -> Finding:
    """What a clock's distance from ours means."""
    known = ahead.most < math.inf
    least_off = max(ahead.least, -ahead.most if known else 0.0, 0.0)
    details = {"ahead_s_min": round(ahead.least, 3),
               "ahead_s_max": round(ahead.most, 3) if known else None}
    if ahead.least > HELD_S:
        return Finding("clock", name, "error", f"{_text(ahead)}: what is appended there is held by "
                       "workers with this clock", _CHANGE, details, wanted=_wanted())
    if least_off > OFF_S:
        return Finding("clock", name, "warning", _text(ahead), _CHANGE, details, wanted=_wanted())
    return Finding("clock", name, "ok", _text(ahead), details=details, wanted=_wanted())


def between(measured: Mapping[int, Ahead]) -> Iterator[Finding]:
    """Between brokers: partitions of one log would have different times."""
    known = {broker: ahead for broker, ahead in measured.items() if ahead.most < math.inf}
    if len(known) < 2:
        return
    first = max(known, key=lambda broker: known[broker].least)
    last = min(known, key=lambda broker: known[broker].most)
    apart = known[first].least - known[last].most
    if apart > OFF_S:
        yield Finding("clock", "between brokers", "warning", f"broker {first} is {apart:.1f} s or "
                      f"more ahead of broker {last}", _CHANGE, {"apart_s": round(apart, 3)},
                      wanted=_wanted())


def _text(ahead: Ahead) -> str:
    if ahead.most == math.inf:
        return (f"{ahead.least:.1f} s ahead of this one, or more" if ahead.least > 0 else
                "not known to be ahead of this one; nothing came while it was looked, so whether "
                "it is behind is not known")
    middle = (ahead.least + ahead.most) / 2
    margin = (ahead.most - ahead.least) / 2
    side = "ahead of" if middle >= 0 else "behind"
    return f"{abs(middle):.1f} s {side} this one" + (f", give or take {margin:.1f} s"
                                                     if margin >= 0.05 else "")


def _wanted() -> str:
    return f"at most {OFF_S:.0f} s apart; beyond {HELD_S:.0f} s workers hold what is appended"


def _programs(settings: Settings, question: Question) -> Iterator[tuple[str, Answer]]:
    yield f"collector {collector_url(settings)}", question(collector_url(settings), "")
    for kind, urls in (("worker", settings.worker_urls), ("delivery", settings.delivery_urls)):
        for url, address in addresses(urls):
            host = f"[{address}]" if ":" in address else address
            yield f"{kind} {host}:{url.port or 80}", question(url.geturl(), address)


def _newest(admin: AdminClient, leaders: Mapping[TopicPartition, int]
            ) -> dict[TopicPartition, tuple[int, float]]:
    """Partition -> offset and append time of its newest record."""
    asked = dict.fromkeys(leaders, OffsetSpec.max_timestamp())
    found = {}
    for place, future in admin.list_offsets(asked, request_timeout=ANSWER_S_MAX).items():
        try:
            told = future.result(timeout=ANSWER_S_MAX)
        except KafkaException:  # an older broker, or one without this question
            continue
        if told.timestamp > 0:
            found[place] = (told.offset, told.timestamp / 1000)
    return found
