"""`routes.yaml` as data: which triggers go where, and what each destination allows.

Decides fields, limits and defaults. What is wrong with a file, and where in it, is `routes.py`'s to
say. A destination has no default purpose: whoever adds one says what consent it needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import msgspec

from footfall.errors import MisfitError
from footfall.kafka import security
from footfall.tables.rules_row import zones

DESTINATIONS_MAX = 100
ROUTES_MAX = 1_000
NAME_PATTERN = "^[a-z][a-z0-9_-]{0,63}$"
#: The customer's own zone, from their profile.
CUSTOMER_ZONE = "customer"

Name = Annotated[str, msgspec.Meta(pattern=NAME_PATTERN)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=31_536_000)]
LocalTime = Annotated[str, msgspec.Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Text = Annotated[str, msgspec.Meta(max_length=10_000)]
Variable = Annotated[str, msgspec.Meta(pattern="^[A-Z][A-Z0-9_]{0,99}$")]
Headers = Annotated[dict[str, str], msgspec.Meta(max_length=20)]
Period = Literal["hour", "day", "week", "month"]


class Retry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`delays_s`: from one attempt to the next; after the last one it is dead. The default is that
    of Standard Webhooks, 75:35:05 in all. Each is made longer by up to `jitter` of itself.
    """

    delays_s: Annotated[tuple[Seconds, ...], msgspec.Meta(max_length=50)] = (
        5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
    jitter: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.1


class Cap(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """At most `max` to one customer by this medium for this purpose in each period of their own
    calendar; what is over waits for the next period (`hold`) or is not sent (`drop`).
    """

    max: Annotated[int, msgspec.Meta(ge=1, le=1_000)]
    per: Period
    then: Literal["hold", "drop"] = "drop"


class QuietHours(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True,
                 rename={"from_": "from"}):
    """Local times of day between which nothing is sent; `from` after `to` goes over midnight.
    Equal ones are refused: they may be meant as never or as always.
    """

    from_: LocalTime
    to: LocalTime
    zone: str = CUSTOMER_ZONE
    #: For customers of whom no zone is known.
    else_zone: str = "UTC"
    then: Literal["hold", "drop"] = "hold"

    def __post_init__(self) -> None:
        if self.from_ == self.to:
            raise MisfitError(f"{self.to} is that of from, too: leave quiet_hours out for none, or "
                              "name another time", "to")
        for key in ("zone", "else_zone"):
            zone = getattr(self, key)
            if (key, zone) != ("zone", CUSTOMER_ZONE) and zone not in zones():
                raise MisfitError(f"{zone[:60]!r} is no IANA time zone, such as Europe/Berlin", key)


class Breaker(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """After so many failures in a row nothing is sent for `open_s`, then one is tried; each time
    that one fails, twice as long, up to `open_s_max`.
    """

    failures: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 10
    open_s: Seconds = 30
    open_s_max: Seconds = 600


class Destination(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True,
                  tag_field="channel"):
    """What every destination has."""

    #: A consent category; `necessary` needs none.
    purpose: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    #: By which consent and caps are counted; "": the channel.
    medium: Annotated[str, msgspec.Meta(pattern="^[a-z0-9_]{0,32}$")] = ""
    timeout_s: Annotated[float, msgspec.Meta(ge=0.1, le=120)] = 15
    #: Sent at the same time by one process.
    concurrency_max: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 64
    #: A second and process; 0: as many as there are.
    rate_per_s: Annotated[float, msgspec.Meta(ge=0, le=100_000)] = 0
    retry: Retry = Retry()
    breaker: Breaker = Breaker()
    caps: Annotated[tuple[Cap, ...], msgspec.Meta(max_length=10)] = ()
    quiet_hours: QuietHours | None = None
    #: What has not been sent so long after its trigger fired is not sent any more; 0: never.
    expires_s: Seconds = 0
    #: Failing, and only failing, for so long disables it; 0: never.
    disable_after_s: Seconds = 432_000
    #: Whether later triggers of a customer wait for earlier ones that are tried again.
    order: Literal["customer", "none"] = "customer"


class WebhookDestination(Destination, frozen=True, kw_only=True, tag="webhook"):
    """HTTP POST, signed by Standard Webhooks where there is a secret."""

    url: Annotated[str, msgspec.Meta(min_length=8, max_length=2_000)]
    #: Names of the variables that hold `whsec_...` secrets, the current one first; two: rotation.
    secret_env: Annotated[tuple[Variable, ...], msgspec.Meta(max_length=2)] = ()
    #: Only trigger_id, name, customer_key and times: the receiver asks for the rest.
    thin: bool = False
    #: File of a Liquid template of the body; "": the trigger as JSON.
    template: str = ""
    content_type: str = "application/json"
    headers: Headers = {}


class Smtp(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The server that takes the mail."""

    host: str
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 587
    tls: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password_env: Variable | None = None


class EmailDestination(Destination, frozen=True, kw_only=True, tag="email",
                       rename={"from_": "from"}):
    """One e-mail to the customer's address."""

    smtp: Smtp
    from_: Annotated[str, msgspec.Meta(min_length=3, max_length=320)]
    reply_to: str = ""
    subject: Text
    #: Files of Liquid templates; at least one.
    text: str = ""
    html: str = ""
    #: One-click unsubscribe (RFC 8058); only mail of the purpose `necessary` may be without.
    unsubscribe: bool = True


class KafkaSecurity(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the brokers of another cluster are reached: the settings' names less `kafka_`, with the
    names of variables in place of secrets.
    """

    security_protocol: Literal["SSL", "SASL_PLAINTEXT", "SASL_SSL"]
    sasl_mechanism: security.Mechanism = ""
    sasl_username: str = ""
    sasl_password_env: Variable | None = None
    sasl_oauth_token_url: str = ""
    sasl_oauth_client_id: str = ""
    sasl_oauth_client_secret_env: Variable | None = None
    sasl_oauth_scope: str = ""
    sasl_oauth_extensions: str = ""
    ssl_ca_file: str = ""
    ssl_certificate_file: str = ""
    ssl_key_file: str = ""
    ssl_key_password_env: Variable | None = None

    def variables(self) -> dict[str, str]:
        """Secret -> the variable that has it."""
        named = {secret: getattr(self, f"{secret}_env") for secret in security.SECRETS}
        return {secret: variable for secret, variable in named.items() if variable is not None}

    def of(self, prefix: str, folder: Path, secrets: Mapping[str, str]) -> security.Security:
        """With the secrets; raises `SettingsError`. `folder`: whose files are meant."""
        plain = {name: getattr(self, name) for name in security.FIELDS
                 if name not in security.SECRETS}
        files = {name: str(folder / file) for name, file in plain.items()
                 if name.endswith("_file") and file}
        return security.Security(**{**plain, **files, **secrets, "prefix": prefix})


class KafkaDestination(Destination, frozen=True, kw_only=True, tag="kafka"):
    """A record in a topic, keyed by customer_key."""

    topic: Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9._-]{1,249}$")]
    #: "": the cluster that Footfall runs on.
    bootstrap_servers: str = ""
    #: None: without TLS and SASL, or as Footfall's own cluster where that is meant.
    security: KafkaSecurity | None = None
    thin: bool = False
    template: str = ""


class RedisDestination(Destination, frozen=True, kw_only=True, tag="redis"):
    """An entry of a Redis Stream."""

    stream: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    #: Name of the variable with the URL; None: the Redis of the served view.
    url_env: Variable | None = None
    entries_max: Annotated[int, msgspec.Meta(ge=1, le=100_000_000)] = 100_000
    thin: bool = False
    template: str = ""


class NotifyDestination(Destination, frozen=True, kw_only=True, tag="notify"):
    """Slack, Teams, Telegram, SMS and others, through Apprise."""

    #: Name of the variable with the Apprise URL; it may have `{to}` where the recipient stands.
    url_env: Variable
    title: Text = ""
    body: Text
    #: Kind of the customer's identifier or profile trait that is the recipient; "": none.
    to: Annotated[str, msgspec.Meta(max_length=64)] = ""


AnyDestination: TypeAlias = (
    WebhookDestination | EmailDestination | KafkaDestination | RedisDestination | NotifyDestination)


class Route(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Triggers of these names (`*` at the end: any that begin so), where all of `where` fit, go to
    these destinations.
    """

    triggers: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=200)]
    #: Path below the trigger's `data` -> the values that it may have.
    where: Annotated[dict[str, tuple[str, ...]], msgspec.Meta(max_length=20)] = {}
    to: Annotated[tuple[Name, ...], msgspec.Meta(min_length=1, max_length=DESTINATIONS_MAX)]


class RoutesFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole file."""

    destinations: Annotated[dict[Name, AnyDestination], msgspec.Meta(max_length=DESTINATIONS_MAX)]
    routes: Annotated[tuple[Route, ...], msgspec.Meta(max_length=ROUTES_MAX)] = ()
