"""Of the programs of Footfall that can be asked: whether they answer, and what they say of their
parts (`health.py`), each part that is not well a finding.

Decides what of it matters here. One program may stand behind several addresses of a name.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import SplitResult

from footfall.doctor.asking import Answer, Question, ask, readyz
from footfall.doctor.findings import Finding
from footfall.settings import Settings
from footfall.view.workers import addresses

NOBODY = "/customers/user_id:AAAAAAAAAAAAAAAAAAAAAA"
READY = "200 of /readyz"


def collector_url(settings: Settings) -> str:
    """Where one would answer on this machine."""
    host = "127.0.0.1" if settings.http_host in ("0.0.0.0", "::") else settings.http_host  # noqa: S104
    return f"http://{host}:{settings.http_port}"


def collector(settings: Settings, question: Question = readyz) -> Iterator[Finding]:
    """Whether one answers on this machine."""
    url = collector_url(settings)
    answer = question(url, "")
    if answer.status == http.client.OK:
        yield Finding("collector", url, "ok", "ready", details=_said(answer), wanted=READY)
    elif answer.status:
        yield Finding("collector", url, "error", f"answers {answer.status}: {_message(answer)}",
                      "it has to see the brokers and the topics; is it a collector?",
                      _said(answer), wanted=READY)
    else:
        yield Finding("collector", url, "warning", f"does not answer ({answer.why})",
                      "start `footfall collector`, or ask on the machine where it runs",
                      wanted=READY)
    yield from parts("collector", url, answer)


def workers(settings: Settings, question: Question = readyz) -> Iterator[Finding]:
    """Whether those that are known answer, and own all partitions between them."""
    owned: set[int] = set()
    count = 0
    for url, address in addresses(settings.worker_urls):
        count += 1
        subject, answer = _subject(url, address), question(url.geturl(), address)
        if answer.status == http.client.OK:
            mine = [int(p) for p in _said(answer).get("partitions", ())]
            owned |= set(mine)
            yield Finding("workers", subject, "ok", f"ready, {len(mine)} partitions",
                          details=_said(answer), wanted=READY)
            yield from _key(settings, url, address, subject)
        else:
            yield _unready("workers", subject, answer, "FOOTFALL_WORKER_URLS")
        yield from parts("workers", subject, answer)
    if not count:
        yield Finding("workers", "urls", "warning", "none known: their health is not looked at",
                      "give workers a FOOTFALL_METRICS_PORT, and name them in FOOTFALL_WORKER_URLS")
    elif len(owned) < settings.partitions:
        yield Finding("workers", "partitions", "warning",
                      f"{len(owned)} of {settings.partitions} are owned by the workers known",
                      "name all workers in FOOTFALL_WORKER_URLS, or start more",
                      wanted=f"all {settings.partitions}")


def others(area: str, variable: str, urls: str, question: Question = readyz
           ) -> Iterator[Finding]:
    """Delivery and archive, where it is configured where they answer."""
    found = list(addresses(urls, variable))
    if urls and not found:
        yield Finding(area, urls, "error", "no such host is known here", f"correct {variable}",
                      wanted=READY)
    for url, address in found:
        subject, answer = _subject(url, address), question(url.geturl(), address)
        if answer.status == http.client.OK:
            yield Finding(area, subject, "ok", "ready", details=_said(answer), wanted=READY)
        else:
            yield _unready(area, subject, answer, variable)
        yield from parts(area, subject, answer)


def parts(area: str, subject: str, answer: Answer) -> Iterator[Finding]:
    """What a program says of itself that is not well, where it is of use all the same; what makes
    it unready is said of the whole.
    """
    found = _said(answer).get("parts", {})
    for name, part in (found.items() if isinstance(found, Mapping) else ()):
        if not part.get("ok", True) and not part.get("needed", True):
            yield Finding(area, f"{subject} {name}", "warning", str(part.get("reason", "")),
                          "docs/operate/health.md has what each part means")


def _subject(url: SplitResult, address: str) -> str:
    return f"{url.geturl()} ({address})"


def _unready(area: str, subject: str, answer: Answer, variable: str) -> Finding:
    if answer.status:
        return Finding(area, subject, "warning", f"answers {answer.status}: {_message(answer)}",
                       "wait until it has recovered; if it goes on, look at its log",
                       _said(answer), wanted=READY)
    return Finding(area, subject, "error", f"does not answer ({answer.why})",
                   f"start it with FOOTFALL_METRICS_PORT, or correct {variable}", wanted=READY)


def _key(settings: Settings, url: SplitResult, address: str, subject: str) -> Iterator[Finding]:
    """Whether our API key is the worker's."""
    if settings.api_key:
        answer = ask(url.geturl(), NOBODY, address=address, api_key=settings.api_key)
        if answer.status == http.client.UNAUTHORIZED or (
                answer.status == http.client.NOT_FOUND and not _said(answer)):
            yield Finding("workers", subject, "warning", "does not take this API key",
                          "start it with the FOOTFALL_API_KEY that is configured here")


def _said(answer: Answer) -> dict[str, Any]:
    return answer.said if isinstance(answer.said, dict) else {}


def _message(answer: Answer) -> str:
    return str(_said(answer).get("message", "")) or "is it a program of Footfall?"
