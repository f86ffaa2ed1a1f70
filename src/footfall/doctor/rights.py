"""What this user may do on the cluster: for which parts of Footfall it is enough, and what lacks.

Nobody needs all rights: `doctor` runs as one part, so it is well when some part has all of its own.
Decides whose missing rights are told: those of the parts that were asked for, else of the part that
comes closest. Where the cluster does not tell, that is said, with the command that prints the
rights.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from footfall.doctor.brokers import reached
from footfall.doctor.findings import Finding
from footfall.health import listed
from footfall.kafka.security import Security, security_of
from footfall.rights import PARTS, Right, Told, told
from footfall.settings import Settings


def rights(settings: Settings, parts: Collection[str] = ()) -> Iterator[Finding]:
    """As the brokers decide. `parts`: those that this user is to be enough for."""
    if reached(settings) is None:
        return  # said of the brokers
    bootstrap = settings.kafka_bootstrap_servers
    security = security_of(bootstrap)
    found = told(bootstrap, PARTS)
    if any(len(one.unknown) < len(PARTS[part].rights) for part, one in found.items()):
        yield from judged(found, parts, who(security))
    else:
        yield _untold(is_protected=security.security_protocol != "PLAINTEXT")


def _untold(*, is_protected: bool) -> Finding:
    return Finding("rights", "enough for", "warning" if is_protected else "ok", "cannot be known: "
                   "this cluster does not tell rights" + (
                       "" if is_protected else ", and asks nobody who they are"),
                   "`footfall acls list PART` prints what each part needs" if is_protected else "")


def who(security: Security) -> str:
    """The user in use, as far as it is known here."""
    if security.has_sasl:
        name = security.sasl_username or security.sasl_oauth_client_id
        return f"user {name} ({security.sasl_mechanism})"
    if security.ssl_certificate_file:
        return f"the user of the certificate {security.ssl_certificate_file}"
    return "whoever comes by this listener (User:ANONYMOUS)"


def judged(found: Mapping[str, Told], parts: Collection[str], user: str) -> Iterator[Finding]:
    """One finding in all, and one for each part that matters and lacks something."""
    able = [part for part, one in found.items() if not one.lacking and not one.unknown]
    details = {"lacking": {part: _texts(one.lacking) for part, one in found.items()},
               "unknown": {part: _texts(one.unknown) for part, one in found.items()}}
    wrong = [part for part in parts if part not in able]
    if not parts and not able:
        wrong = [min(found, key=lambda part: (len(found[part].lacking), len(found[part].unknown)))]
    yield Finding("rights", "enough for", "ok" if able else "warning",
                  f"{user}: enough for {', '.join(able) or 'no part'}",
                  "" if able else "`footfall acls list` prints what each part needs", details,
                  wanted=", ".join(parts) or "one part, at the least")
    for part in wrong:
        yield _of(part, found[part], is_asked=part in parts)


def _of(part: str, found: Told, *, is_asked: bool) -> Finding:
    if found.lacking:
        return Finding("rights", part, "error" if is_asked else "warning",
                       f"lacks {listed(found.lacking)}",
                       f"have the cluster's administrator run what `footfall acls list {part}` "
                       "prints", {"lacking": _texts(found.lacking)},
                       wanted=f"all {len(PARTS[part].rights)} rights of {part}")
    return Finding("rights", part, "warning",
                   f"it cannot be known whether it has {listed(found.unknown)}: that does not "
                   "exist, or this cluster does not tell",
                   f"`footfall topics create`, then look again; `footfall acls list {part}` prints "
                   "the rights", {"unknown": _texts(found.unknown)})


def _texts(found: Collection[Right]) -> list[str]:
    return [str(right) for right in found]
