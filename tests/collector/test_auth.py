"""Write keys and sources: what is configured, what is kept, and what a source may send."""

from __future__ import annotations

import gc
import hashlib
from typing import Any

import pytest

from footfall.collector.answers import RequestError
from footfall.collector.auth import WriteKeys
from footfall.errors import SettingsError
from footfall.key_hashes import KEY_CHARS_MAX, KeyHashes
from footfall.settings import SourceSettings
from tests.collector.edge import MemorySink, basic, post, serving


def hashed(key: str) -> str:
    return "sha256:" + hashlib.sha256(key.encode()).hexdigest()


def names(keys: WriteKeys, *write_keys: str) -> list[str]:
    return [keys.source_of(key).name for key in write_keys]


def test_keys_come_plain_or_hashed_one_or_two_a_source() -> None:
    keys = WriteKeys(
        {"web": f"old {hashed('new')}", "app": hashed("k").upper().replace("SHA", "sha")},
        {"till": SourceSettings(write_keys=["t1", hashed("t2")])})
    assert ["web", "web", "app", "till", "till"] == names(keys, "old", "new", "k", "t1", "t2")
    for wrong in (hashed("new"), "", "Old", "old new", None, 5):
        with pytest.raises(RequestError) as refused:
            keys.source_of(wrong)
        assert 401 == refused.value.status


def test_a_key_may_stand_in_both_tables() -> None:
    """The names of the environment, the rules of the file."""
    keys = WriteKeys({"web": "k"}, {"web": SourceSettings(events=["x"])})
    assert frozenset({"x"}) == keys.source_of("k").events


@pytest.mark.parametrize(("write_keys", "sources", "named"), [
    ({"web": "a b c"}, {}, "web"),
    ({"web": "a b"}, {"web": {"write_keys": ["c"]}}, "web"),
    ({}, {"web": {}}, "web"),
    ({"web": "k", "app": "k"}, {}, "share"),
    ({"web": "k", "app": hashed("k")}, {}, "share"),
    ({"web": "sha256:12"}, {}, "hexadecimal"),
    ({"web": "k" * (KEY_CHARS_MAX + 1)}, {}, "201"),
    ({}, {"web": {"write_keys": [""]}}, "0 characters"),
    ({"w" * 101: "k"}, {}, "101"),
    ({"web": "k"}, {"web": {"origins": ["shop.example"]}}, "web"),
    ({"web": "k"}, {"web": {"origins": ["https://shop.example/"]}}, "web"),
])
def test_what_cannot_be_meant_stops_the_start(
    write_keys: dict[str, str], sources: dict[str, Any], named: str
) -> None:
    with pytest.raises(SettingsError, match=named):
        WriteKeys(write_keys, {name: SourceSettings(**said) for name, said in sources.items()})


def test_a_key_at_the_limit_is_taken() -> None:
    key = "k" * KEY_CHARS_MAX
    assert ["web"] == names(WriteKeys({"web": key}), key)


def test_no_key_is_kept_in_clear() -> None:
    """Nor as the hash that a stolen configuration would hold: only under this process's secret."""
    key = "wk_" + "kept-nowhere"
    keys = WriteKeys({"web": key})
    held = [key, hashlib.sha256(key.encode()).digest()]
    del key
    seen, waiting = set(), [keys]
    kinds = str | bytes | dict | tuple | frozenset | WriteKeys | KeyHashes
    while waiting:
        one = waiting.pop()
        if id(one) not in seen and isinstance(one, kinds):
            seen.add(id(one))
            assert one not in held
            waiting += gc.get_referents(one)
    assert len(seen) > 3


def source(**rules: Any) -> WriteKeys:
    return WriteKeys({"web": "k", "free": "f"}, {"web": SourceSettings(**rules)})


async def test_a_source_may_be_held_to_event_names() -> None:
    """One that is not among them costs its own item only; in a single call it is 403."""
    sink = MemorySink()
    batch = {"batch": [{"type": "track", "userId": "u", "event": name} for name in ("x", "y")]
             + [{"type": "page", "userId": "u", "name": "y"}]}
    async with serving(sink, source(events=["x"])) as client:
        status, answer, _ = await post(client, "/v1/batch", batch, **basic("k"))
        assert (200, ["accepted", "rejected", "accepted"]) == (
            status, [r["status"] for r in answer["results"]])
        assert ("event_not_allowed", "event") == (
            answer["results"][1]["reason"], answer["results"][1]["field"])
        status, answer, _ = await post(client, "/v1/track", {"userId": "u", "event": "y"},
                                       **basic("k"))
        assert (403, "event_not_allowed", "event") == (status, answer["code"], answer["field"])
        assert 3 == (await post(client, "/v1/batch", batch, **basic("f")))[1]["accepted"]
    assert ["event_not_allowed"] * 2 == [r["reason"] for r in sink.rejected()]


async def test_a_source_may_be_held_to_calls() -> None:
    async with serving(MemorySink(), source(calls=["page"])) as client:
        assert 200 == (await post(client, "/v1/page", {"userId": "u"}, **basic("k")))[0]
        status, answer, _ = await post(client, "/v1/alias", {"userId": "u", "previousId": "p"},
                                       **basic("k"))
        assert (403, "call_not_allowed") == (status, answer["code"])


@pytest.mark.parametrize(("origins", "origin", "status"), [
    ([], None, 200), ([], "https://other.example", 200), ([], "null", 403),
    (["https://shop.example"], None, 200),
    (["https://shop.example"], "https://shop.example", 200),
    (["https://Shop.example"], "https://shop.example", 200),
    (["https://shop.example"], "http://shop.example", 403),
    (["https://shop.example"], "https://shop.example.evil", 403),
    (["https://shop.example"], "https://shop.example:444", 403),
    (["https://shop.example"], "null", 403),
    (["null"], "null", 200),
    (["capacitor://localhost"], "capacitor://localhost", 200),
])
async def test_a_source_may_be_held_to_origins(
    origins: list[str], origin: str | None, status: int
) -> None:
    """The refusal is readable by the page: else its browser takes it for a broken network."""
    headers = basic("k") if origin is None else {**basic("k"), "Origin": origin}
    sink = MemorySink()
    async with serving(sink, source(origins=origins)) as client:
        found, answer, response = await post(client, "/v1/page", {"userId": "u"}, **headers)
        assert status == found
        assert (status == 200) == bool(sink.sent)
        assert "*" == response.headers["Access-Control-Allow-Origin"]
        if status == 403:
            assert "origin_not_allowed" == answer["code"]
        async with client.get("/v1/projects/k/settings", headers=headers) as asked:
            assert status == asked.status
