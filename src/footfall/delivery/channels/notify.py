"""Slack, Teams, Telegram, SMS and others, through Apprise.

Decides how title, text and recipient are made, and that what Apprise does stays within bounds: it
waits for answers in threads, of which there are few, and a destination's time is over when it is
over. `notify_address.py` says which services there are. Must never let Apprise's or its client's
own log lines out: they name recipients and paths with keys in them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from footfall.delivery.channels.notify_address import (
    DOMAINS,
    TO,
    Address,
    addressed,
    checked,
    is_recipient,
)
from footfall.delivery.message import Attempt, Message, Outcome, Person, RenderError, Resources
from footfall.delivery.rendering import within_bytes_max
from footfall.delivery.routes_row import NotifyDestination
from footfall.delivery.templates import Template, variables
from footfall.errors import ConfigError

#: Of one destination: as many are sent at the same time, whatever its concurrency_max.
THREADS_MAX = 8
CONNECT_S_MAX = 4.0
_TITLE = "title"
#: Loggers of Apprise and of what it sends with.
_LOGGERS = ("apprise", "urllib3", "requests_oauthlib", "oauthlib")
log = logging.getLogger(__name__)


async def open_channel(name: str, destination: NotifyDestination, resources: Resources
                       ) -> NotifyChannel:
    """The channel; raises `ConfigError` where Apprise is missing or the URL is not to be used."""
    try:
        import apprise  # noqa: F401 (found now, not when the first message is sent)
    except ImportError:
        raise ConfigError(f"{name}: a destination of channel notify needs Apprise; install "
                          "footfall[notify]") from None
    for logger in _LOGGERS:
        logging.getLogger(logger).setLevel(logging.CRITICAL + 1)
    variable = destination.url_env
    url = resources.environment.get(variable, "")
    if not url:
        raise ConfigError(f"{name}: the variable {variable} is not set; put the Apprise URL of the "
                          "service into it", ("url_env",))
    if (TO in url) != bool(destination.to):
        raise ConfigError(f"{name}: to, and {TO} in {variable}, belong together; there is only one "
                          "of them", ("to",))
    try:
        address = checked(url, variable, resources.allow)
        channel = NotifyChannel(name, destination, address)
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}", error.path) from None
    if not channel.is_readable():
        raise ConfigError(f"{name}: url_env: what {variable} holds is no URL of {address.schema}",
                          ("url_env",))
    return channel


class NotifyChannel:
    """One Apprise URL, one template each of title and body."""

    def __init__(self, name: str, destination: NotifyDestination, address: Address) -> None:
        self._name = name
        self._address = address
        self._to = destination.to
        self._timeout_s = destination.timeout_s
        self._title = Template(destination.title, "title")
        self._body = Template(destination.body, "body")
        self.needs_person = bool(self._to) or "customer" in destination.title + destination.body
        self._asset = _asset()
        self._threads = ThreadPoolExecutor(min(THREADS_MAX, destination.concurrency_max),
                                           thread_name_prefix=f"notify {name}")

    def is_readable(self) -> bool:
        """Whether Apprise makes a service of the URL; the recipient is not known yet."""
        if not self._to:
            return self._service(self._address.url) is not None
        from apprise.plugins import url_to_dict

        found = url_to_dict(self._address.url.replace(TO, "recipient"))
        return bool(found)

    def render(self, trigger: Mapping[str, Any], document: bytes, person: Person) -> Message:
        """Title, body and recipient; nobody to tell is a suppression."""
        to = self._recipient(person)
        seen = variables(document, person)
        title, body = self._title.render(seen).strip(), self._body.render(seen)
        if not body.strip():
            raise RenderError("render_failed", "the body is empty")
        within_bytes_max(title + body)
        return Message(body, {_TITLE: title}, to)

    async def send(self, message: Message, attempt: Attempt) -> Outcome:
        """Have Apprise send it. What has not begun when the time is over is not sent."""
        del attempt  # Apprise knows no id of a message
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout_s):
                return await loop.run_in_executor(self._threads, self._notify, message)
        except TimeoutError:
            log.warning("the service gave no answer in time", extra={"destination": self._name})
            return Outcome("retry", "notify")

    async def close(self) -> None:
        """Nothing new begins; threads end with their sockets' time."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _recipient(self, person: Person) -> str:
        if not self._to:
            return ""
        found = person.ids.get(self._to) or person.traits.get(self._to)
        if isinstance(found, int) and not isinstance(found, bool):
            found = str(found)  # a chat's number
        if not isinstance(found, str) or not found:
            raise RenderError("no_address", f"the customer has no {self._to}", is_suppression=True)
        if not is_recipient(found, self._to, self._address.schema):
            raise RenderError("no_address", f"the customer's {self._to} is no recipient of "
                              f"{self._address.schema}", is_suppression=True)
        return found

    def _notify(self, message: Message) -> Outcome:
        """In a thread."""
        from apprise import Apprise, NotifyFormat

        try:
            service = self._service(addressed(self._address, message.to))
            if service is None:
                return Outcome("dead", "refused")
            sender = Apprise(asset=self._asset)
            sender.add(service)
            is_sent = sender.notify(body=message.body, title=message.headers.get(_TITLE, ""),
                                    body_format=NotifyFormat.TEXT)
        except Exception as error:
            # A plugin may raise anything; its text may hold the URL.
            log.warning("the service could not be asked", extra={
                "destination": self._name, "error": type(error).__name__})
            return Outcome("retry", "notify")
        return Outcome("sent") if is_sent else Outcome("retry", "notify")

    def _service(self, url: str) -> Any:
        """Apprise's object for one message: none is shared among threads. None: not to be had."""
        from apprise import Apprise

        service: Any = Apprise.instantiate(url, asset=self._asset)
        if service is None or service.schema != self._address.schema:
            return None
        if service.schema in DOMAINS and service.host.strip("[]").lower() != self._address.host:
            return None  # it reads the URL in another way than what was checked
        service.socket_connect_timeout = min(CONNECT_S_MAX, self._timeout_s)
        service.socket_read_timeout = self._timeout_s
        return service


def _asset() -> Any:
    """How Apprise is to behave: no threads of its own, no redirects, nothing on disk."""
    from apprise import AppriseAsset

    return AppriseAsset(async_mode=False, http_redirects=False, storage_mode="memory",
                        secure_logging=True, default_service_retry=0)
