"""`footfall acls`: the rights of each part of Footfall, as ACLs of a Kafka cluster.

Decides how they are written. What they are is `rights.py`. Asks no cluster and changes none: who
may give rights is the cluster's affair.
"""

from __future__ import annotations

from collections.abc import Iterable

import click
import msgspec

from footfall.errors import FootfallError
from footfall.rights import PARTS, Right

PRINCIPAL = "User:footfall-{part}"


@click.group()
def acls() -> None:
    """What each part must be allowed to do on a cluster with an authorizer.

    \b
    Examples:
      footfall acls list
      footfall acls list worker --principal User:CN=worker
    """


@acls.command(name="list")
@click.argument("parts", nargs=-1, metavar="[PART]...")
@click.option("--principal", default=PRINCIPAL, show_default=True,
              help="Who gets the rights; {part} stands for the part's name.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document, for programs.")
def list_(parts: tuple[str, ...], principal: str, as_json: bool) -> None:
    """Print them, as calls of kafka-acls.sh; of all parts, or of those named."""
    unknown = sorted(set(parts) - PARTS.keys())
    if unknown:
        raise FootfallError(f"{unknown[0]}: no such part; there are {', '.join(PARTS)}")
    shown = {name: PARTS[name] for name in parts or PARTS}
    if as_json:
        click.echo(msgspec.json.encode({"parts": {
            name: {"what": part.what, "principal": principal.replace("{part}", name),
                   "rights": [_entry(right) for right in part.rights]}
            for name, part in shown.items()}}))
        return
    for name, part in shown.items():
        click.echo(f"# {name}: {part.what}")
        for line in commands(part.rights, principal.replace("{part}", name)):
            click.echo(line)


def commands(rights: Iterable[Right], principal: str) -> list[str]:
    """Calls of kafka-acls.sh, one a resource."""
    operations: dict[tuple[str, str, bool], list[str]] = {}
    for right in rights:
        place = (right.kind, right.name, right.is_prefix)
        operations.setdefault(place, []).append(right.operation)
    return [
        "kafka-acls.sh --bootstrap-server $BROKERS --command-config admin.properties --add "
        f"--allow-principal '{principal}' "
        + " ".join(f"--operation {_WORDS.get(one, one.capitalize())}" for one in found)
        + f" --{kind.lower()} {name}" + (" --resource-pattern-type prefixed" if is_prefix else "")
        for (kind, name, is_prefix), found in operations.items()]


_WORDS = {"DESCRIBE_CONFIGS": "DescribeConfigs"}


def _entry(right: Right) -> dict[str, str]:
    return {"operation": right.operation, "resource": right.kind, "name": right.name,
            "pattern": "prefixed" if right.is_prefix else "literal"}
