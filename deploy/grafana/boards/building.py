"""Grafana's JSON of a dashboard, by Grafana's own library.

Decides how panels look, where they stand and how dashboards lead to one another. Panels use what
Grafana 11.6 knows; later ones read it.
"""

from __future__ import annotations

import json
from string import ascii_uppercase
from typing import Any

from grafana_foundation_sdk.builders import common, prometheus, stat, timeseries
from grafana_foundation_sdk.builders.dashboard import (
    CustomVariable,
    Dashboard,
    DashboardLink,
    FieldColor,
    QueryVariable,
    Row,
    ThresholdsConfig,
)
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from boards.panels import Board, Choice, Panel

SOURCE = DataSourceRef(type_val="prometheus", uid="prometheus")
#: By which dashboards find one another.
TAG = "footfall"
GRAPH_HEIGHT, STAT_HEIGHT = 8, 5
#: (from, colour). What is in flight is no fault; whether it stays, an alert judges. A fifth more or
#: less is any day's.
COLOURS = {
    "zero": ((None, "red"), (-0.5, "green"), (0.5, "blue")),
    "rise": ((None, "red"), (-0.2, "blue"), (0.2, "green")),
    "fall": ((None, "green"), (-0.2, "blue"), (0.2, "red")),
    "": ((None, "blue"),),
}


def built(board: Board) -> str:
    """The JSON that Grafana reads."""
    made = (Dashboard(f"Footfall: {board.name}").uid(board.uid).description(board.meaning)
            .tags([TAG]).readonly().time(board.since, "now").refresh("10s").timezone("browser")
            .tooltip(DashboardCursorSync.CROSSHAIR)
            .link(DashboardLink("Footfall").type(DashboardLinkType.DASHBOARDS).tags([TAG])
                  .as_dropdown(False).keep_time(True)))
    for choice in board.choices:
        made = made.with_variable(_variable(choice))
    number = 0
    for title, panels in board.rows:
        number += 1
        made = made.with_row(Row(title).id(number))
        height = STAT_HEIGHT if all(panel.stat for panel in panels) else GRAPH_HEIGHT
        for panel in panels:
            number += 1
            made = made.with_panel(
                (_stat if panel.stat else _graph)(panel).id(number).height(height))
    return json.dumps(made.build(), cls=JSONEncoder, indent=1, sort_keys=True) + "\n"


def _variable(choice: Choice) -> CustomVariable | QueryVariable:
    if choice.listed:
        first = choice.of.split(",", 1)[0]
        return (CustomVariable(choice.name).label(choice.label).values(choice.of)
                .current(VariableOption(selected=True, text=first, value=first)))
    return (QueryVariable(choice.name).label(choice.label).query(choice.of).datasource(SOURCE)
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).sort(VariableSort.NATURAL_ASC)
            .multi(True).include_all(True).all_value(".*")
            .current(VariableOption(selected=True, text="All", value="$__all")))


def _graph(panel: Panel) -> timeseries.Panel:
    graph = (
        _common(timeseries.Panel(), panel)
        .fill_opacity(30 if panel.stacked else 10)
        .legend(common.VizLegendOptions().display_mode(LegendDisplayMode.LIST)
                .placement(LegendPlacement.BOTTOM).show_legend(True))
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI)
                 .sort(SortOrder.DESCENDING))
    )
    if panel.stacked:
        graph = graph.stacking(common.StackingConfig().mode(StackingMode.NORMAL))
    return graph


def _stat(panel: Panel) -> stat.Panel:
    made = (
        _common(stat.Panel(), panel).decimals(1 if panel.good == "rise" else 0)
        .color_mode(BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.NONE if panel.good == "rise" else BigValueGraphMode.AREA)
        .color_scheme(FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .thresholds(ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(
            _steps(panel.good)))
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    )
    turned = ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(_steps("fall")).build()
    for name in panel.worse:
        made = made.override_by_name(name, [DynamicConfigValue("thresholds", turned)])
    return made


def _steps(good: str) -> list[Threshold]:
    return [Threshold(value, colour) for value, colour in COLOURS[good]]


def _common(made: Any, panel: Panel) -> Any:
    made = (made.title(panel.title).description(panel.meaning).unit(panel.unit).datasource(SOURCE)
            .span(panel.width))
    if not panel.signed:
        made = made.min(0)
    if panel.more:
        made = made.links([DashboardLink(f"Footfall: {panel.more}").type(DashboardLinkType.LINK)
                           .url(f"/d/footfall-{panel.more.lower()}").keep_time(True)])
    for query, ref in zip(panel.queries, ascii_uppercase, strict=False):
        made = made.with_target(
            prometheus.Dataquery().expr(query.expr).legend_format(query.legend).ref_id(ref)
            .datasource(SOURCE).range())
    return made
