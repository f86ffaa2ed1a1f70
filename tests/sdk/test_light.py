"""The base install is light: what `import footfall` and a working client bring into an app."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from footfall.sdk.config import Config, Options
from footfall.sdk.drops import REASONS

ROOT = Path(__file__).parents[2]
HEAVY = {"faust", "mode", "redis", "aiokafka", "confluent_kafka", "aiohttp", "click", "rich",
         "prometheus_client", "cryptography", "asyncio", "fastavro"}
APP = """
import sys
import footfall
from footfall import Client, DroppedError
before = set(sys.modules)
client = Client("k", "http://127.0.0.1:1", spool=sys.argv[1])
client.track("u1", "e")
client.commerce.product_added("u1", product_id="p1")
client.flush(0.1)
client.close(0.1)
import footfall.analytics
print("\\n".join(sys.modules))
"""


def modules(program: str, *arguments: str) -> set[str]:
    told = subprocess.run([sys.executable, "-c", program, *arguments], check=True, text=True,
                          capture_output=True).stdout
    return {name.partition(".")[0] for name in told.split()}


def test_a_working_client_imports_nothing_heavy(tmp_path: Path) -> None:
    """Only msgspec and the standard library (and what msgspec takes where it is there)."""
    assert set() == modules(APP, str(tmp_path)) & HEAVY
    third = modules(APP, str(tmp_path)) - sys.stdlib_module_names - {"footfall"}
    third = {name for name in third if not name.startswith("_")}
    assert {"msgspec"} == third - {"typing_extensions"}


def test_the_async_client_needs_only_asyncio_more() -> None:
    assert {"asyncio"} == modules(
        "import sys\nfrom footfall import AsyncClient\nprint('\\n'.join(sys.modules))") & HEAVY


def test_the_base_install_has_what_it_imports() -> None:
    """`pip install footfall` without extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {"fastavro", "msgspec"} == {re.split("==", d)[0] for d in project["dependencies"]}


def test_options_and_their_defaults_are_one_list() -> None:
    assert {*Options.__annotations__, "write_key", "host"} == set(Config.__struct_fields__)
    assert Options.__annotations__.keys() >= {"on_error"}


def test_reasons_that_are_given_are_declared() -> None:
    """And every declared one is given somewhere."""
    source = "".join(file.read_text() for file in (ROOT / "src/footfall/sdk").glob("*.py"))
    given = set(re.findall(r'(?:DroppedError|Refused)\(\s*"([a-z_]+)"', source))
    given |= {"spool_cut"}  # in a table of two
    assert set(REASONS) == given
