"""What `footfall doctor` looks at of delivery: that somebody does it where routes are configured.

What is wrong with the routes themselves `footfall routes check` says; how destinations fare,
`footfall deliveries summary`.
"""

from __future__ import annotations

from collections.abc import Iterator

from footfall.admin.cluster import admin_client, answers
from footfall.admin.doctor import Finding
from footfall.admin.doctor_probes import ANSWER_S_MAX, behind, group, lag_of
from footfall.events import topics
from footfall.settings import Settings


def delivery(settings: Settings) -> Iterator[Finding]:
    """The processes that send triggers out."""
    if not settings.routes:
        yield Finding("delivery", "", "ok", "no routes are configured: triggers are sent nowhere")
        return
    bootstrap = settings.kafka_bootstrap_servers
    if not bootstrap or not answers(bootstrap, seconds_max=ANSWER_S_MAX):
        return  # said of the brokers
    admin = admin_client(bootstrap)
    members, committed = group(admin, bootstrap, topics.DELIVERY_APP_ID, topics.DELIVERIES)
    if members:
        yield Finding("delivery", "members", "ok",
                      f"{members} in group {topics.DELIVERY_APP_ID}")
    else:
        yield Finding("delivery", "members", "warning",
                      f"group {topics.DELIVERY_APP_ID} has none: no trigger is sent, though "
                      f"{settings.routes} says where to", "start `footfall delivery`")
    there = admin.list_topics(topics.DELIVERIES, timeout=ANSWER_S_MAX).topics[topics.DELIVERIES]
    if there.partitions:  # what is wrong with topics is said of them
        yield behind("delivery", lag_of(admin, topics.DELIVERIES, len(there.partitions), committed),
                     "run more of them, or look at their logs")
