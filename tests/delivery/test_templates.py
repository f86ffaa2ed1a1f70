"""Templates: what they print, what they refuse, and what a customer's text can do to them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from footfall.delivery import template_filters, templates
from footfall.delivery.message import Person, RenderError
from footfall.delivery.template_filters import Number
from footfall.delivery.templates import Template
from footfall.errors import ConfigError

#: reliability.md, B17, and what breaks out of quoted HTML.
HOSTILE = ("\r\nBcc: x@example.com", "=cmd()", "<script>alert(1)</script>", "{{7*7}}",
           "${jndi:ldap://x}", "'; DROP TABLE x", "../../etc/passwd", "{0.__class__}", "%n",
           "{% for i in (1..9) %}x{% endfor %}", '" onload="x', "{{ trigger }}")


def printed(source: str, *, is_html: bool = False, **data: Any) -> str:
    """What a template makes of the trigger's data."""
    return Template(source, "t.liquid", escape_html=is_html).render(
        {"trigger": {"data": data}, "data": data, "customer": {"ids": {}, "traits": {}}})


def fault(source: str, **data: Any) -> str:
    """Why a template cannot be rendered."""
    with pytest.raises(RenderError) as caught:
        printed(source, **data)
    assert "render_failed" == caught.value.reason
    return caught.value.detail


def refused(source: str, **options: Any) -> str:
    """Why a template cannot be used."""
    with pytest.raises(ConfigError) as caught:
        Template(source, "t.liquid", **options)
    return str(caught.value)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_text_stays_what_it_is(hostile: str) -> None:
    """What a customer typed is printed byte for byte, never read as a template."""
    assert f"Hello {hostile}!" == printed("Hello {{ data.name }}!", name=hostile)


@pytest.mark.parametrize("filtered", sorted(templates._Environment(None, is_html=True).filters))
@pytest.mark.parametrize("value", ["<script>x</script>", ["<script>", "<b>"],
                                   {"<script>": "<b>"}], ids=["text", "list", "object"])
def test_html_is_escaped_through_every_filter(filtered: str, value: Any) -> None:
    """No filter, with or without an argument from the same hand, lets a tag through."""
    for argument in ("", ": data.value", ": '1'", ": '<i>', data.value"):
        for before in ("", "escape | ", "url_encode | ", "base64_encode | ", "newline_to_br | "):
            source = f"{{{{ data.value | {before}{filtered}{argument} }}}}"
            try:
                text = printed(source, is_html=True, value=value)
            except RenderError:
                continue

            assert "<script" not in text
            assert "<b>" not in text


@pytest.mark.parametrize("hostile", HOSTILE)
def test_html_attributes_hold(hostile: str) -> None:
    """A quoted attribute ends where the template ends it."""
    text = printed('<a title="{{ data.name }}">', is_html=True, name=hostile)

    assert 2 == text.count('"')
    assert "<script" not in text


@pytest.mark.parametrize(("source", "expected"), [
    ("{{ data.value }}", "12.50"),
    ("{{ data.value | plus: 0.1 }}", "12.60"),
    ("{{ data.value | times: 3 }}", "37.50"),
    ("{{ data.value | minus: data.value }}", "0.00"),
    ("{{ data.big }}", "12345678901234567890.12"),
    ("{{ data.big | plus: data.value }}", "12345678901234567902.62"),
    ("{{ data.whole }}", "123456789012345678901234567890"),
    ("{{ data.lines | sum: 'price' }}", "20.03"),
    ("{{ 10 | divided_by: 4 }}", "2"),
    ("{{ data.value | divided_by: 4 | round: 2 }}", "3.13"),
    ("{{ 0.5 | round }} {{ 1.5 | round }} {{ 2.5 | round }}", "1 2 3"),
    ("{{ data.value | ceil }} {{ data.value | floor }}", "13 12"),
    ("{{ -7 | modulo: 3 }} {{ data.minus | modulo: 3 }}", "2 2"),
    ("{{ data.minus | abs }}", "7"),
    ("{{ '3.10' | plus: 1 }}", "4.10"),
    ("{{ data.value | json }}", "12.50"),
    ("{% if data.value == 12.5 %}equal{% endif %}", "equal"),
    ("{% if data.tenth == 0.1 %}equal{% endif %}{% if data.tenth < 0.1 %}less{% endif %}",
     "equal"),
    ("{{ data.wide }}", "1E+400"),
    ("{{ data['value'] }} {{ trigger['data']['minus'] }}", "12.50 -7"),
])
def test_numbers_are_exact(source: str, expected: str) -> None:
    """Money is printed and calculated as it was sent."""
    document = (b'{"data":{"value":12.50,"big":12345678901234567890.12,"minus":-7,"tenth":0.1,'
                b'"whole":123456789012345678901234567890,"wide":1e400,'
                b'"lines":[{"price":10.01},{"price":10.02},{}]}}')

    assert expected == Template(source, "t").render(templates.variables(document, Person()))


def test_traits_are_exact() -> None:
    """A trait that was read as a float is printed as it was spelled."""
    person = Person(ids={"email": "a@b.example"}, traits={"rate": 0.1, "all": [{"x": 19.9}]},
                    zone="Europe/Berlin")
    given = templates.variables(b"{}", person)

    assert "0.3 39.8 Europe/Berlin a@b.example" == Template(
        "{{ customer.traits.rate | times: 3 }} {{ customer.traits.all[0].x | times: 2 }} "
        "{{ customer.zone }} {{ customer.ids.email }}", "t").render(given)


def test_what_is_not_there_is_told() -> None:
    """A name without a value fails with its place, and a template can provide for it."""
    assert "t.liquid, line 2: what `data.y.z` asks for is not there; give it a `default`" == (
        fault("a\n{{ data.y.z }}", x=1))
    assert "friend" == printed("{{ data.y.z | default: 'friend' }}", x=1)
    assert "no" == printed("{% if data.y %}yes{% else %}no{% endif %}", x=1)
    assert "none" == printed("{% if data.y == nil %}none{% endif %}", x=1)
    assert "" == printed("{{ data.x }}", x=None)


@pytest.mark.parametrize(("source", "told"), [
    ("a\n{% if %}", "t.liquid, line 2: missing expression"),
    ("{{ data.x", "t.liquid, line 1: expected '}}', found end of file"),
    ("a\n\n{{ dat.x }}", "t.liquid, line 3: there is no variable dat; there are customer, data, "
                         "trigger"),
    ("a\n{{ data.x | upcas }}", "t.liquid, line 2: there is no filter upcas; "
                                "docs/templates.md lists them"),
    ("{{ data.x | safe }}", "t.liquid, line 1: there is no filter safe; docs/templates.md lists "
                            "them"),
    ("{% include 'x' %}", "t.liquid, line 1: unexpected tag 'include'"),
    ("{% render 'x' %}", "t.liquid, line 1: there is no folder to take it from"),
    ("x" * 65_537, "t.liquid is longer than 65536 bytes; shorten it"),
    ("{% if data.x %}" * 30 + "{% endif %}" * 30, None),
])
def test_bad_templates_are_refused(source: str, told: str | None) -> None:
    """A template that can never work is refused when it is read, with file and line."""
    said = refused(source)

    assert (said if told is None else told) == said


@pytest.mark.parametrize("source", [
    "{% for i in (1..10001) %}{% endfor %}",
    "{% for i in (1..100) %}{% for j in (1..101) %}{% endfor %}{% endfor %}",
    "{% tablerow i in (1..20000) %}{% endtablerow %}",
    "{% for i in (1..100000000000000000000000) %}{% endfor %}",
    "{{ (1..100000000000000000000000) | join }}",
    "{% assign s = 'xxxxxxxxxx' %}{% for i in (1..100) %}{% assign s = s | append: s %}"
    "{% endfor %}",
    "{% assign l = 'a,b' | split: ',' %}{% for i in (1..100) %}{% assign l = l | concat: l %}"
    "{% endfor %}",
    "{% assign n = 9 %}{% for i in (1..100) %}{% assign n = n | times: n %}{% endfor %}",
    "{{ data.long | replace: 'x', data.long }}",
    "{{ data.long | replace: '', data.long }}",
    "{{ data.long | split: '' | join: data.long }}",
    "{% for i in (1..9999) %}{{ data.long }}{% endfor %}",
    "{% capture c %}{% for i in (1..9999) %}{{ data.long }}{% endfor %}{% endcapture %}",
    "{{ '2026-01-01T00:00:00Z' | date: '%1000000000Y' }}",
    "{{ 'now' | date: '%H' }}",
    "{{ 1 | divided_by: 0 }}", "{{ 1.5 | divided_by: 0 }}", "{{ 1 | modulo: 0 }}",
    "{{ data.long | plus: 1 }}", "{{ 'nan' | plus: 1 }}", "{{ data.missing | upcase }}",
    "{{ '1e999999999' | plus: 1 | round }}",
])
def test_rendering_is_bounded(source: str) -> None:
    """Nothing that a template can ask for takes long or much; it fails and quotes no value."""
    assert "xxxxx" not in fault(source, long="x" * 9_000)


def test_faults_hold_no_values() -> None:
    """An error names what the template says, not what the customer is."""
    secret = "canary@example.com"

    for source in ("{{ data.table[data.mail] }}", "{{ data.mail | plus: 1 }}",
                   "{{ data.mail | date: '%H' }}", "{% for i in (data.mail..3) %}{{ i.x }}"
                   "{% endfor %}{{ data.y }}", "{% if data.mail < 3 %}{% endif %}",
                   "{{ data.mail | slice: data.mail }}"):
        assert "canary" not in fault(source, mail=secret, table={})


@pytest.mark.parametrize("path", ["trigger.__class__", "data.name.__init__", "data.name.upper",
                                  "customer.ids.__dict__", "data.items"])
def test_attributes_of_python_are_out_of_reach(path: str) -> None:
    """A path leads through JSON alone."""
    assert "is not there" in fault(f"{{{{ {path} }}}}", name="x")


def test_parts_come_from_the_folder_alone(tmp_path: Path) -> None:
    """A part is read with the template; a way out of the folder, a link too, is refused."""
    folder = tmp_path / "mails"
    folder.mkdir()
    (tmp_path / "secret.liquid").write_text("secret")
    (folder / "link.liquid").symlink_to(tmp_path / "secret.liquid")
    (folder / "foot.liquid").write_text("bye {{ who }}{{ data.name }}")
    (folder / "bad.liquid").write_text("{{ nobody }}")
    (folder / "mail.liquid").write_text("{% render 'foot.liquid', who: 'you ' %}")
    loaded = templates.load(folder, "mail.liquid", escape_html=True)
    (folder / "foot.liquid").unlink()

    assert "bye you &lt;b&gt;" == loaded.render({"data": {"name": "<b>"}})
    for name in ("../secret.liquid", "link.liquid", "/etc/passwd", "none.liquid", ".", "a\0b"):
        with pytest.raises(ConfigError):
            templates.load(folder, name)
        assert name in refused(f"{{% render '{name}' %}}", folder=folder)
    assert "bad.liquid: there is no variable nobody; there are customer, data, trigger" == (
        refused("{% render 'bad.liquid' %}", folder=folder))


def test_parts_that_use_themselves_end(tmp_path: Path) -> None:
    """Parts within parts, and many of them, end with an error."""
    (tmp_path / "self.liquid").write_text("{% render 'self.liquid' %}{% render 'self.liquid' %}")
    (tmp_path / "leaf.liquid").write_text("x")

    for source in ("{% render 'self.liquid' %}",
                   "{% for i in (1..101) %}{% render 'leaf.liquid' %}{% endfor %}"):
        with pytest.raises(RenderError):
            Template(source, "t", folder=tmp_path).render({})


def test_dates_are_in_the_zone_that_is_asked_for() -> None:
    """A time is printed in UTC or in a zone by name, over daylight saving."""
    assert "2026-07-01 10:30 12:30 19:30" == printed(
        "{{ data.at | date: '%F' }} {{ data.at | date: '%H:%M' }} "
        "{{ data.at | date: '%H:%M', 'Europe/Berlin' }} "
        "{{ data.at | date: '%H:%M', 'Asia/Tokyo' }}", at="2026-07-01T10:30:00.000Z")
    assert "a filter in `date`" in fault("{{ data.at | date: '%F', '../x' }}",
                                         at="2026-07-01T10:30:00.000Z")


def test_json_is_valid_whatever_is_in_it() -> None:
    """A body made with the filter `json` is JSON for any text."""
    for hostile in HOSTILE:
        body = printed('{"name":{{ data.name | json }},"value":{{ data.value | json }}}',
                       name=hostile, value=Number("1.10"))

        assert {"name": hostile, "value": 1.1} == json.loads(body)
        assert body.endswith('"value":1.10}')


_MADE = templates._Environment(None, is_html=False)
PIECES = ("{{", "}}", "{%", "%}", "{%-", "-%}", " ", "\n", "|", ":", ",", ".", "[", "]", "(", ")",
          "..", "==", "<", "'", '"', "data", "data.x", "customer", "trigger", "'x'", "1", "-1",
          "1.5", "nil", "empty", "blank", "in", "and", "contains", "(1..3)", "x", "ü", "\0", "#",
          "end", "when", "else", "elsif", "with", "as", "limit:", "reversed", "offset: continue",
          *sorted(_MADE.tags), *(f"end{tag}" for tag in sorted(_MADE.tags)), *sorted(_MADE.filters))


@settings(max_examples=400)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map(" ".join) | st.lists(
    st.sampled_from(sorted(_MADE.filters)), min_size=1, max_size=4).flatmap(
        lambda chain: st.lists(st.sampled_from(("", ": data.x", ": 1, 'x'", ": nil", ": data")),
                               min_size=len(chain), max_size=len(chain)).map(
            lambda given: "{{ data.x" + "".join(f" | {one}{argument}" for one, argument in zip(
                chain, given, strict=True)) + " }}")),
       st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
                        st.text(max_size=3), inner, max_size=3), max_leaves=6))
def test_any_template_and_value_is_a_text_or_told(source: str, value: Any) -> None:
    """No source makes anything but a template or `ConfigError`, no value anything but a text or
    `RenderError`."""
    try:
        made = Template(source, "t")
    except ConfigError:
        return
    try:
        assert isinstance(made.render({"trigger": {}, "data": {"x": value}, "customer": {}}), str)
    except RenderError as error:
        assert "render_failed" == error.reason


def test_results_of_filters_are_bounded() -> None:
    """At the limit a text passes, one character more does not."""
    limit = template_filters.TEXT_CHARS_MAX
    text = "x" * (limit - 1)

    assert limit == len(printed("{{ data.text | append: 'y' }}", text=text))
    assert "append" in fault("{{ data.text | append: 'yz' }}", text=text)
