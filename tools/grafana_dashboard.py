"""Write the Grafana dashboard of own metrics, or check that it is what this writes.

python -m tools.grafana_dashboard [--check]
"""

from __future__ import annotations

import sys
from pathlib import Path

from grafana_foundation_sdk.builders import common, prometheus, stat, timeseries
from grafana_foundation_sdk.builders import dashboard as dashboards
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    LegendDisplayMode,
    LegendPlacement,
)
from grafana_foundation_sdk.models.dashboard import DataSourceRef, VariableRefresh
from tools.grafana_panels import ROWS, Chart, Number

FILE = Path(__file__).resolve().parent.parent / "monitoring" / "grafana-dashboard.json"
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
REFRESH = VariableRefresh.ON_TIME_RANGE_CHANGED
HEIGHT = 8


def main() -> None:
    """Write the file, or fail if it is not what would be written."""
    text = dashboard()
    if "--check" not in sys.argv[1:]:
        FILE.write_text(text)
    elif not FILE.exists() or FILE.read_text() != text:
        sys.exit(f"{FILE.name} is out of date: run python -m tools.grafana_dashboard")


def dashboard() -> str:
    """Return the dashboard as JSON that Grafana imports."""
    built = (
        dashboards.Dashboard("vumeter")
        .uid("vumeter")
        .description("The own metrics of vumeter, of all workers of an instance together.")
        .tags(["vumeter"])
        .refresh("30s")
        .time("now-3h", "now")
        .timezone("browser")
        .with_variable(dashboards.DatasourceVariable("datasource").type("prometheus"))
        .with_variable(variable("job", "label_values(vumeter_build_info, job)"))
        .with_variable(
            variable("instance", 'label_values(vumeter_build_info{job="$job"}, instance)')
            .include_all(True)
            .all_value(".*")
        )
    )
    for title, panels in ROWS:
        built = built.with_row(dashboards.Row(title))
        for panel in panels:
            built = built.with_panel(chart(panel) if isinstance(panel, Chart) else number(panel))
    return JSONEncoder(sort_keys=True, indent=2).encode(built.build()) + "\n"


def variable(name: str, query: str) -> dashboards.QueryVariable:
    """Return a choice among the values of a label."""
    return dashboards.QueryVariable(name).datasource(SOURCE).query(query).refresh(REFRESH)


def chart(panel: Chart) -> timeseries.Panel:
    """Return a panel of lines."""
    built = (
        timeseries.Panel()
        .title(panel.title)
        .description(panel.help)
        .datasource(SOURCE)
        .unit(panel.unit)
        .min(0)
        .height(HEIGHT)
        .span(panel.width)
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
        )
    )
    for query, legend in panel.queries:
        built = built.with_target(prometheus.Dataquery().expr(query).legend_format(legend).range())
    return built


def number(panel: Number) -> stat.Panel:
    """Return a panel of one number."""
    return (
        stat.Panel()
        .title(panel.title)
        .description(panel.help)
        .datasource(SOURCE)
        .unit(panel.unit)
        .height(HEIGHT // 2)
        .span(panel.width)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
        .with_target(prometheus.Dataquery().expr(panel.query).legend_format("").instant())
    )


if __name__ == "__main__":
    main()
