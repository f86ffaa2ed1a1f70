"""What a panel is, and how its queries are written: the vocabulary of all dashboards.

Every query adds up all processes of a job, so that scaled workers need no change; what is told of a
single one says so by its labels. Decides units and PromQL, nothing about Grafana's JSON
(`building.py`) and nothing about what is shown (one module for each dashboard).
"""

from __future__ import annotations

from typing import NamedTuple

#: Grafana's units.
PER_SECOND, SECONDS, NUMBER, BYTES, BYTES_PER_SECOND, SHARE = (
    "cps", "s", "short", "bytes", "Bps", "percentunit")
SINCE_1970 = "dateTimeFromNow"
QUANTILES = ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))
#: In the place of a rate's window Grafana puts four scrapes or more.
WINDOW = "$__rate_interval"


class Query(NamedTuple):
    """PromQL, and how a series of its answer is called."""

    expr: str
    legend: str


class Panel(NamedTuple):
    """One graph, or with `stat` one number for each series. What it means, and what is to be done,
    stands in its corner. `width` is of 24. `signed`: it may fall below 0. `good`: where a number
    is green, and red far below it: at 0 (`zero`), or well above it (`rise`); `worse`: the legends
    of which it is the other way round. `more`: the dashboard to go on to.
    """

    title: str
    meaning: str
    unit: str
    queries: tuple[Query, ...]
    stacked: bool = False
    stat: bool = False
    width: int = 8
    signed: bool = False
    good: str = ""
    worse: tuple[str, ...] = ()
    more: str = ""


class Choice(NamedTuple):
    """A variable of a dashboard: values of a label, as a metric has them, or `of` itself, a list of
    values with commas between.
    """

    name: str
    label: str
    of: str
    listed: bool = False


class Board(NamedTuple):
    """One dashboard: rows of panels, in the order in which one reads them. `since`: its range when
    it is opened.
    """

    name: str
    meaning: str
    rows: tuple[tuple[str, tuple[Panel, ...]], ...]
    choices: tuple[Choice, ...] = ()
    since: str = "now-30m"

    @property
    def uid(self) -> str:
        """By which links and files name it."""
        return f"footfall-{self.name.lower()}"


def _legend(labels: tuple[str, ...]) -> str:
    return " ".join(f"{{{{{label}}}}}" for label in labels)


def _by(labels: tuple[str, ...], what: str) -> str:
    return f"sum by ({', '.join(labels)}) ({what})" if labels else f"sum({what})"


def one(expr: str, legend: str) -> tuple[Query, ...]:
    """A query as it is."""
    return (Query(expr, legend),)


def rate(metric: str, *labels: str, called: str = "") -> tuple[Query, ...]:
    """How fast a counter moves, by labels."""
    return one(_by(labels, f"rate({metric}[{WINDOW}])"), called or _legend(labels))


def moving(metric: str, *labels: str) -> tuple[Query, ...]:
    """The same, without what stands still: of many labels most do."""
    return tuple(query._replace(expr=f"{query.expr} > 0") for query in rate(metric, *labels))


def hour(metric: str, *labels: str, called: str = "") -> tuple[Query, ...]:
    """By how much a counter has moved within an hour, by labels."""
    return one(_by(labels, f"increase({metric}[1h])"), called or _legend(labels))


def hour_moving(metric: str, *labels: str) -> tuple[Query, ...]:
    """The same, without what stands still."""
    return tuple(query._replace(expr=f"{query.expr} > 0") for query in hour(metric, *labels))


def now(gauge: str, *labels: str, called: str = "") -> tuple[Query, ...]:
    """What gauges of all processes come to, by labels; of a counter: since they were started."""
    return one(_by(labels, gauge), called or _legend(labels))


def quantiles(histogram: str, *labels: str, where: str = "") -> tuple[Query, ...]:
    """p50, p95 and p99 of all processes together, by labels."""
    buckets = _by(("le", *labels), f"rate({histogram}_bucket{where}[{WINDOW}])")
    return tuple(Query(f"histogram_quantile({q}, {buckets})", f"{_legend(labels)} {name}".strip())
                 for q, name in QUANTILES)


def in_range(metric: str, offset: str = "") -> str:
    """By how much a counter has moved within the range that is shown, or so long before it."""
    return f"sum(increase({metric}[$__range]{offset and f' offset {offset}'}))"


def change(metric: str, offset: str) -> str:
    """The share by which that is more than `offset` before; nothing where it was nothing then."""
    return f"{in_range(metric)} / ({in_range(metric, offset)} > 0) - 1"
