"""What Faust's clients are told of a protected cluster is what every other client is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

from footfall.kafka.aio import aio
from footfall.kafka.security import Cluster, Security
from footfall.stream.credentials import credentials_of
from tests.kafka.test_security import OAUTH, SCRAM


@pytest.mark.parametrize("given", [
    {}, {"security_protocol": "SSL"}, SCRAM, OAUTH, {**SCRAM, "security_protocol": "SASL_PLAINTEXT"}
], ids=["plain", "tls", "scram", "oauth", "scram without tls"])
def test_faust_and_aiokafka_are_told_the_same(given: dict[str, Any], tmp_path: Path) -> None:
    """Field by field; host names are checked."""
    cluster = Cluster("a:9093", Security(**given))
    told = dict(credentials_to_aiokafka_auth(credentials_of(cluster), None))
    own = {name: value for name, value in aio(cluster).items()
           if name != "bootstrap_servers" and value is not None}
    tls, own_tls = told.pop("ssl_context", None), own.pop("ssl_context", None)
    provider, own_provider = (one.pop("sasl_oauth_token_provider", None) for one in (told, own))
    assert own == told
    assert (own_tls is None) == (tls is None)
    assert tls is None or (tls.check_hostname and own_tls.check_hostname)
    assert type(own_provider) is type(provider)
