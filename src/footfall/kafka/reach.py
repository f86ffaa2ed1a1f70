"""Why brokers do not let us in: certificate, host name, credentials, or no TLS where some is meant.

Client libraries go on trying for ever and say little. Decides what is a refusal, which trying again
does not mend, and what is a broker that is only away: that is no error here. Must never show a
secret.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, TypeVar

from aiokafka import errors
from aiokafka.conn import create_conn
from aiokafka.protocol.metadata import MetadataRequest
from confluent_kafka import KafkaError, KafkaException

from footfall import handshake
from footfall.errors import BrokerError
from footfall.kafka.aio import secured
from footfall.kafka.security import Security, security_of, tls_of

ANSWER_S_MAX: Final = 5.0
#: What an authorizer says.
DENIED: Final = (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED,
                 KafkaError.CLUSTER_AUTHORIZATION_FAILED)
_DAY_S: Final = 86_400
T = TypeVar("T")


class Certificate(NamedTuple):
    """A broker's."""

    address: str
    days_left: float


def require(bootstrap: str) -> None:
    """Raises `BrokerError` where the brokers that answer all refuse us."""
    if why := refusal(bootstrap):
        raise BrokerError(why)


def refusal(bootstrap: str) -> str:
    """What is wrong, and what to do; "" where one lets us in, or none can be reached."""
    return _run(_refusal(bootstrap))


def told(bootstrap: str) -> dict[str, str | None]:
    """Of each address: None where it lets us in, "" where it cannot be reached, else what is wrong
    and what to do.
    """
    return _run(_told(bootstrap))


def absent(topic: str, error: KafkaError) -> BrokerError:
    """The error of a topic that the cluster does not tell us about."""
    if error.code() in DENIED:
        return _denied(f"topic {topic}", error)
    return BrokerError(f"topic {topic}: {error.str()}; create it with `footfall topics create`")


def unseen(topic: str) -> BrokerError:
    """The error of a topic that is not among those of the cluster: it hides what is not ours."""
    return BrokerError(f"{topic} does not exist, or this user may not see it: `footfall topics "
                       "create` makes it, `footfall acls list` prints the rights that each part "
                       "needs")


@contextmanager
def writing(topic: str) -> Iterator[None]:
    """What the client raises of its own accord becomes a `BrokerError`: a user who may write no
    topic at all gets no producer id, which is fatal to it.
    """
    try:
        yield
    except (KafkaException, SystemError) as error:
        # A callback of ours that meets a fatal error is a SystemError, with that as its cause.
        cause = error if isinstance(error, KafkaException) else error.__cause__
        if not isinstance(cause, KafkaException):
            raise
        said = cause.args[0]
        raise (_denied(f"topic {topic}", said) if said.code() in DENIED else BrokerError(
            f"topic {topic} cannot be written to: {said.str()}")) from None


def unread(what: str, error: KafkaError) -> BrokerError:
    """The error of a partition that the cluster answers nothing good for."""
    return _denied(what, error) if error.code() in DENIED else BrokerError(f"{what}: {error.str()}")


def unreadable(bootstrap: str, error: KafkaError) -> BrokerError:
    """The error of a cluster that cannot be read from."""
    if error.code() in DENIED:
        return _denied(bootstrap, error)
    return BrokerError(refusal(bootstrap) or
                       f"cannot read from {bootstrap}: {error.str()}; is the broker running, and "
                       "kafka_bootstrap_servers right?")


def certificates(bootstrap: str, addresses: list[str]) -> list[Certificate]:
    """Those of brokers that have one which is valid for us."""
    tls = tls_of(security_of(bootstrap))
    found = []
    for address in addresses if tls is not None else ():
        assert tls is not None
        host, port = _split(address)
        try:
            with (socket.create_connection((host, port), ANSWER_S_MAX) as plain,
                  tls.wrap_socket(plain, server_hostname=host) as connection):
                told = connection.getpeercert() or {}
        except OSError:
            continue
        until = ssl.cert_time_to_seconds(str(told.get("notAfter")))
        found.append(Certificate(address, (until - time.time()) / _DAY_S))
    return found


def _run(question: Coroutine[Any, Any, T]) -> T:
    """On a thread of its own: the caller may have a loop, or none."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, question).result()


async def _refusal(bootstrap: str) -> str:
    whys = (await _told(bootstrap)).values()
    if None in whys:
        return ""
    return next(filter(None, whys), "")


async def _told(bootstrap: str) -> dict[str, str | None]:
    security = security_of(bootstrap)
    addresses = [address.strip() for address in bootstrap.split(",")]
    whys = await asyncio.gather(*(_ask(address, security) for address in addresses))
    return dict(zip(addresses, whys, strict=True))


async def _ask(address: str, security: Security) -> str | None:
    """None where it lets us in; "" where it cannot be reached."""
    prefix = security.prefix
    try:
        host, port = _split(address)
        async with asyncio.timeout(ANSWER_S_MAX):
            connection = await create_conn(host, port, request_timeout_ms=int(ANSWER_S_MAX * 1000),
                                           **secured(security))
            try:
                # A listener that wants SASL says so only to whoever asks for something.
                await connection.send(MetadataRequest([]))
            finally:
                connection.close()
    except ssl.SSLError as error:
        why = handshake.refusal(
            error, where="on the broker",
            trust=f"set {prefix}ssl_ca_file to the authority's certificate",
            otherwise="is this a listener with TLS? "
                      f"{prefix}security_protocol is {security.security_protocol}")
        return f"{address}: {why}"
    except (errors.SaslAuthenticationFailed, errors.AuthenticationFailedError):
        return f"{address}: {_credentials(security)}"
    except (errors.UnsupportedSaslMechanismError, errors.IllegalSaslStateError):
        return (f"{address}: does not take {prefix}sasl_mechanism {security.sasl_mechanism}; set "
                f"it, or {prefix}security_protocol, to what this listener offers")
    except (errors.KafkaConnectionError, ConnectionResetError):
        return _closed(address, security)
    except BrokerError as error:  # no token
        return str(error)
    except (OSError, ValueError, errors.KafkaError):
        return ""
    return None


def _denied(what: str, error: KafkaError) -> BrokerError:
    return BrokerError(f"{what}: this user may not do that ({error.name()}); `footfall acls list` "
                       "prints the rights that each part needs")


def _credentials(security: Security) -> str:
    prefix = security.prefix
    if security.sasl_oauth_client_id:
        return (f"does not take the token of {prefix}sasl_oauth_client_id "
                f"{security.sasl_oauth_client_id!r}; check scope, audience and extensions")
    return (f"does not take {prefix}sasl_username {security.sasl_username!r} with "
            f"{prefix}sasl_password and {prefix}sasl_mechanism {security.sasl_mechanism}; correct "
            "them, or have the user made")


def _closed(address: str, security: Security) -> str:
    prefix, protocol = security.prefix, security.security_protocol
    if protocol == "SSL" and not security.ssl_certificate_file:
        return (f"{address}: closes the connection; it may want a certificate of ours "
                f"({prefix}ssl_certificate_file and {prefix}ssl_key_file), or SASL "
                f"({prefix}security_protocol is {protocol})")
    return (f"{address}: closes the connection; is {prefix}security_protocol, which is {protocol}, "
            "that of this listener?")


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
