"""Whose missing rights are told: those of the parts asked for, else of the closest part."""

from __future__ import annotations

import pytest

from footfall.doctor.rights import judged, rights, who
from footfall.kafka.security import Security
from footfall.rights import PARTS, Right, Told
from footfall.settings import Settings

ONE, TWO = Right("READ", "TOPIC", "a"), Right("WRITE", "TOPIC", "b")
FOUND = {"worker": Told([], []), "collector": Told([ONE], []), "reader": Told([ONE, TWO], []),
         "admin": Told([], [TWO])}
LESS = {part: FOUND[part] for part in ("collector", "reader")}


@pytest.mark.parametrize(("found", "parts", "expected"), [
    (FOUND, (), [("enough for", "ok")]),
    (FOUND, ("worker",), [("enough for", "ok")]),
    (FOUND, ("worker", "collector"), [("enough for", "ok"), ("collector", "error")]),
    (FOUND, ("admin",), [("enough for", "ok"), ("admin", "warning")]),
    (LESS, (), [("enough for", "warning"), ("collector", "warning")]),
    (LESS, ("reader",), [("enough for", "warning"), ("reader", "error")])])
def test_what_lacks_is_told_of_the_parts_that_matter(
        found: dict[str, Told], parts: tuple[str, ...], expected: list[tuple[str, str]]) -> None:
    """With the command that prints what the administrator has to run."""
    told = list(judged(found, parts, "user x"))
    assert expected == [(one.subject, one.status) for one in told]
    assert all(f"`footfall acls list {one.subject}`" in one.change for one in told[1:])
    assert {part: list(map(str, one.lacking)) for part, one in found.items()} == (
        told[0].details["lacking"])


@pytest.mark.parametrize(("security", "text"), [
    (Security(), "User:ANONYMOUS"),
    (Security(security_protocol="SASL_SSL", sasl_mechanism="PLAIN", sasl_username="shop",
              sasl_password="canary"), "user shop (PLAIN)"),
    (Security(security_protocol="SSL", ssl_certificate_file="own.pem", ssl_key_file="own.pem"),
     "the certificate own.pem")])
def test_the_user_in_use_is_named(security: Security, text: str) -> None:
    assert text in who(security) and "canary" not in who(security)


@pytest.mark.kafka
def test_without_an_authorizer_everybody_may_do_everything(footfall_topics: str) -> None:
    """But for what does not exist: of that no cluster tells."""
    [one] = rights(Settings(kafka_bootstrap_servers=footfall_topics), ["worker", "collector"])
    assert ("ok", {}) == (one.status, {part: lacking for part, lacking in
                                       one.details["lacking"].items() if lacking})
    assert PARTS.keys() - {"rebuild"} <= {part for part, unknown in
                                          one.details["unknown"].items() if not unknown}
