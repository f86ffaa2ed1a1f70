"""Draws a dashboard without Grafana: its JSON, asked of a Prometheus, as one SVG.

    python deploy/grafana/picture.py deploy/grafana/dashboards/footfall-pipeline.json \
        http://127.0.0.1:9090 pipeline.svg --minutes 30 --rows 3

Panels stand where the JSON says, with its titles, units, queries and legends; lines are what
Prometheus answers for the range that is given. Decides colours and how numbers are written, much as
Grafana does. Must never draw a value that was not answered: no data is said to be none.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

COLUMN, ROW, GAP = 50, 34, 8
HEAD = 54
LINES = ("#73bf69", "#f2cc0c", "#5794f2", "#ff9830", "#f2495c", "#b877d9", "#8ab8ff", "#ffa6b0")
COLOURS = {"green": "#73bf69", "red": "#f2495c", "blue": "#5794f2"}
POINTS = 90
#: Prometheus text says no more than so much of a legend.
LEGENDS_MAX, LEGEND_CHARS = 8, 24
SCALES = {
    "s": ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"), (1e-3, "ms"), (1e-6, "us")),
    "bytes": ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1, "B")),
    "Bps": ((1e9, "GB/s"), (1e6, "MB/s"), (1e3, "kB/s"), (1, "B/s")),
    "cps": ((1e6, "Mc/s"), (1e3, "Kc/s"), (1, "c/s")),
    "short": ((1e9, "Bil"), (1e6, "Mil"), (1e3, "K"), (1, "")),
}


class Look(NamedTuple):
    """How a text looks."""

    size: float
    colour: str
    anchor: str = "start"
    weight: int = 400


class Series(NamedTuple):
    """One line: its name, and (seconds since 1970, value) in order."""

    name: str
    points: list[tuple[float, float]]


TITLE, QUIET, LEGEND = Look(13, "#d8d9da", weight=600), Look(11, "#9fa7b3"), Look(11.5, "#c7d0d9")


class Prometheus:
    """What is asked, over which range; `variables` are put into queries."""

    def __init__(self, url: str, range_s: float, variables: Mapping[str, str]) -> None:
        self._url = url.rstrip("/")
        self.end = time.time()
        self.start = self.end - range_s
        self._step = max(range_s / POINTS, 1.0)
        self._variables = {"__rate_interval": f"{max(20, round(4 * self._step))}s",
                           "__range": f"{round(range_s)}s", **variables}

    def filled(self, text: str) -> str:
        """With the values of variables."""
        for name, value in self._variables.items():
            text = text.replace(f"${name}", value)
        return text

    def series(self, panel: Mapping[str, Any]) -> list[Series]:
        """All that the queries of a panel give."""
        found = []
        for target in panel["targets"]:
            query = urllib.parse.urlencode({
                "query": self.filled(target["expr"]), "start": self.start, "end": self.end,
                "step": self._step})
            with urllib.request.urlopen(  # noqa: S310 - whom the user names
                    f"{self._url}/api/v1/query_range?{query}", timeout=30) as answer:
                result = json.load(answer)["data"]["result"]
            for one in result:
                points = [(float(at), float(value)) for at, value in one["values"]]
                points = [(at, value) for at, value in points if math.isfinite(value)]
                if points:
                    found.append(Series(self._legend(target, one["metric"]), points))
        return found

    def _legend(self, target: Mapping[str, Any], labels: Mapping[str, str]) -> str:
        return re.sub(r"\{\{(\w+)\}\}", lambda m: labels.get(m[1], ""),
                      self.filled(target["legendFormat"])).strip()


def drawn(dashboard: Path, url: str, *, range_s: float, rows: int = 0,
          variables: Mapping[str, str] | None = None) -> str:
    """The SVG of the first `rows` rows of a dashboard (0: all)."""
    board = json.loads(dashboard.read_text(encoding="utf-8"))
    chosen = {one["name"]: one["current"]["value"].replace("$__all", ".*")
              for one in board.get("templating", {}).get("list", ())}
    asked = Prometheus(url, range_s, chosen | dict(variables or {}))
    panels = _first(board["panels"], rows)
    height = HEAD + ROW * max(p["gridPos"]["y"] + p["gridPos"]["h"] for p in panels) + GAP
    width = 24 * COLUMN + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="Inter, Helvetica, Arial, sans-serif">',
        f'<rect width="{width}" height="{height}" fill="#111217"/>',
        _text(16, 34, board["title"], TITLE._replace(size=20)),
        _text(width - 16, 34, "%s to %s UTC" % tuple(  # noqa: UP031
            time.strftime(form, time.gmtime(at))
            for form, at in (("%Y-%m-%d %H:%M", asked.start), ("%H:%M", asked.end))),
              QUIET._replace(size=13, anchor="end")),
    ]
    for panel in panels:
        parts += _row(panel) if panel["type"] == "row" else _panel(panel, asked)
    return "\n".join([*parts, "</svg>\n"])


def _first(panels: Sequence[dict[str, Any]], rows: int) -> list[dict[str, Any]]:
    starts = sorted(p["gridPos"]["y"] for p in panels if p["type"] == "row")
    end = starts[rows] if 0 < rows < len(starts) else math.inf
    return [p for p in panels if p["gridPos"]["y"] < end]


def _place(panel: Mapping[str, Any]) -> tuple[int, int, int, int]:
    at = panel["gridPos"]
    return (at["x"] * COLUMN + GAP, HEAD + at["y"] * ROW, at["w"] * COLUMN - GAP,
            at["h"] * ROW - GAP)


def _row(panel: Mapping[str, Any]) -> list[str]:
    x, y, _w, _h = _place(panel)
    return [_text(x + 4, y + 22, f"\u25be {panel['title']}", TITLE._replace(size=15))]


def _panel(panel: Mapping[str, Any], asked: Prometheus) -> list[str]:
    x, y, w, h = _place(panel)
    series = asked.series(panel)
    parts = [f'<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="3" fill="#181b1f" '
             'stroke="#2c3235"/>',
             _text(x + 10, y + 20, asked.filled(panel["title"]), TITLE)]
    if not series:
        return [*parts, _text(x + w / 2, y + h / 2 + 10, "No data",
                              QUIET._replace(size=14, anchor="middle"))]
    box = (x + 10, y + 30, w - 20, h - 38)
    return parts + (_stat if panel["type"] == "stat" else _graph)(panel, series, box, asked)


def _stat(panel: Mapping[str, Any], series: Sequence[Series], box: tuple[int, int, int, int],
          _asked: Prometheus) -> list[str]:
    x, y, w, h = box
    unit = panel["fieldConfig"]["defaults"]["unit"]
    wide = w / len(series)
    parts = []
    for n, one in enumerate(series):
        value = one.points[-1][1]
        shown, left = _shown(value, unit), x + n * wide
        if unit == "percentunit" and value > 0 and "min" not in panel["fieldConfig"]["defaults"]:
            shown = f"+{shown}"
        size = min(30.0, 1.55 * (wide - 10) / max(len(shown), 3), h * 0.5)
        if panel["options"].get("graphMode") == "area" and len(one.points) > 1:
            inner = (left + 2, y + h * 0.72, wide - 8, h * 0.28)
            parts += _line(one.points, inner, _bounds([one], floor=None),
                           (one.points[0][0], one.points[-1][0]),
                           (_colour(panel, one.name, value), 0.25))
        parts += [_text(left + 4, y + 14, one.name, QUIET._replace(size=12)),
                  _text(left + 4, y + 22 + size, shown,
                        Look(size, _colour(panel, one.name, value), weight=600))]
    return parts


def _graph(panel: Mapping[str, Any], series: Sequence[Series], box: tuple[int, int, int, int],
           asked: Prometheus) -> list[str]:
    x, y, w, h = box
    unit = panel["fieldConfig"]["defaults"]["unit"]
    series = sorted(series, key=lambda one: -max(v for _, v in one.points))[:LEGENDS_MAX]
    legend_lines = _legend_lines([one.name for one in series], w)
    plot = (x + 56, y + 6, w - 62, h - 30 - 17 * len(legend_lines))
    low, high = _bounds(series, panel["fieldConfig"]["defaults"].get("min"))
    parts = []
    for n in range(5):
        value = low + (high - low) * n / 4
        at = plot[1] + plot[3] * (1 - n / 4)
        parts += [f'<line x1="{plot[0]}" x2="{plot[0] + plot[2]}" y1="{at:.1f}" y2="{at:.1f}" '
                  'stroke="#2c3235"/>',
                  _text(plot[0] - 6, at + 4, _shown(value, unit), QUIET._replace(anchor="end"))]
    for n in range(4):
        at_s = asked.start + (asked.end - asked.start) * (n + 0.5) / 4
        parts.append(_text(plot[0] + plot[2] * (n + 0.5) / 4, plot[1] + plot[3] + 15,
                           time.strftime("%H:%M:%S", time.gmtime(at_s)),
                           QUIET._replace(anchor="middle")))
    for n, one in enumerate(series):
        parts += _line(one.points, plot, (low, high), (asked.start, asked.end),
                       (LINES[n % len(LINES)], 0.08))
    at = y + h - 17 * (len(legend_lines) - 1)
    for line in legend_lines:
        left = float(x)
        for n, name in line:
            parts += [f'<rect x="{left:.0f}" y="{at - 6}" width="12" height="3" '
                      f'fill="{LINES[n % len(LINES)]}"/>',
                      _text(left + 17, at, name, LEGEND)]
            left += _width(name)
        at += 17
    return parts


def _line(points: Sequence[tuple[float, float]], box: tuple[float, float, float, float],
          bounds: tuple[float, float], times: tuple[float, float], paint: tuple[str, float]
          ) -> list[str]:
    (x, y, w, h), (low, high), (start, end), (colour, fill) = box, bounds, times, paint
    # Where nothing was answered for a while the line ends, and another one begins.
    step = min((b[0] - a[0] for a, b in itertools.pairwise(points)), default=1.0)
    pieces: list[list[str]] = [[]]
    last = points[0][0]
    for at, value in points:
        if at - last > 1.5 * step:
            pieces.append([])
        last = at
        pieces[-1].append(f"{x + w * (at - start) / max(end - start, 1):.1f},"
                          f"{y + h * (1 - (value - low) / (high - low)):.1f}")
    parts = []
    for piece in pieces:
        first, final = piece[0].split(",")[0], piece[-1].split(",")[0]
        parts += [f'<polygon points="{first},{y + h:.1f} {" ".join(piece)} {final},{y + h:.1f}" '
                  f'fill="{colour}" fill-opacity="{fill}"/>',
                  f'<polyline points="{" ".join(piece)}" fill="none" stroke="{colour}" '
                  'stroke-width="1.5"/>']
    return parts


def _legend_lines(names: Sequence[str], width: float) -> list[list[tuple[int, str]]]:
    lines: list[list[tuple[int, str]]] = [[]]
    left = 0.0
    for n, name in enumerate(names):
        short = name if len(name) <= LEGEND_CHARS else name[: LEGEND_CHARS - 1] + "\u2026"
        if lines[-1] and left + _width(short) > width:
            lines.append([])
            left = 0.0
        left += _width(short)
        lines[-1].append((n, short))
    return lines


def _width(name: str) -> float:
    return 32 + 6.3 * len(name)


def _bounds(series: Sequence[Series], floor: float | None) -> tuple[float, float]:
    values = [value for one in series for _, value in one.points]
    low = min(values) if floor is None else min(floor, *values)
    high = max(values)
    return (low, high if high > low else low + max(abs(low), 1.0))


def _colour(panel: Mapping[str, Any], name: str, value: float) -> str:
    colour, config = "blue", panel["fieldConfig"]
    thresholds = config["defaults"]["thresholds"]
    for override in config["overrides"]:
        if override["matcher"]["options"] == name:
            thresholds = override["properties"][0]["value"]
    for step in thresholds["steps"]:
        if step["value"] is None or value >= step["value"]:
            colour = step["color"]
    return COLOURS[colour]


def _shown(value: float, unit: str) -> str:
    if unit == "percentunit":
        return f"{100 * value:.1f}%"
    if unit == "dateTimeFromNow":
        return f"{_shown(time.time() - value / 1000, 's')} ago"
    scales = SCALES[unit]
    scale, name = next((one for one in scales if abs(value) >= one[0]), scales[-1])
    if value == 0 or (unit == "short" and abs(value) < 1):
        scale, name = 1, {"s": "s"}.get(unit, scales[-1][1])
    number = f"{value / scale:.3g}"
    return f"{number} {name}".strip()


def _text(x: float, y: float, text: str, look: Look) -> str:
    return (f'<text x="{x:.0f}" y="{y:.0f}" font-size="{look.size:.3g}" fill="{look.colour}" '
            f'text-anchor="{look.anchor}" font-weight="{look.weight}">{escape(text)}</text>')


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Draws a dashboard without Grafana, as SVG.")
    parser.add_argument("dashboard", type=Path, help="its JSON")
    parser.add_argument("prometheus", help="URL of the Prometheus that is asked")
    parser.add_argument("output", type=Path)
    parser.add_argument("--minutes", type=float, default=30, help="how far back (30)")
    parser.add_argument("--rows", type=int, default=0, help="only the first so many rows")
    given = parser.parse_args()
    given.output.write_text(drawn(given.dashboard, given.prometheus, range_s=60 * given.minutes,
                                  rows=given.rows), encoding="utf-8")


if __name__ == "__main__":
    main()
