"""Grafana's JSON of a dashboard: the one place that knows it."""

from collections.abc import Iterator, Sequence
from typing import Any

from deploy.dashboards.panels import Dashboard, Kind, Panel, Row, Step, Unit
from deploy.dashboards.queries import series

__all__ = ["model"]

type Json = dict[str, Any]

# Grafana 12 writes this one, and every Grafana brings older ones up to its own.
SCHEMA_VERSION = 41
COLUMNS = 24
REFRESH = "15s"
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
# Matches a label that is not there, too.
ALL = ".*"

STATES = {"0": ("no", "green"), "1": ("yes", "red")}


def model(dashboard: Dashboard) -> Json:
    """Return what Grafana imports."""
    return {
        "annotations": {"list": [_built_in(), *_annotations()]},
        "description": dashboard.description,
        "editable": True,
        "fiscalYearStartMonth": 0,
        # One pointer in all panels.
        "graphTooltip": 1,
        "id": None,
        "links": [_link()],
        "panels": list(_placed(dashboard.rows)),
        "refresh": REFRESH,
        "schemaVersion": SCHEMA_VERSION,
        "tags": ["carillon"],
        "templating": {"list": list(_variables(dashboard))},
        "time": {"from": "now-1h", "to": "now"},
        "timepicker": {},
        "timezone": "browser",
        "title": dashboard.title,
        "uid": dashboard.uid,
        "version": 1,
        "weekStart": "",
    }


# Variables


def _variables(dashboard: Dashboard) -> Iterator[Json]:
    yield {
        "current": {},
        "hide": 0,
        "includeAll": False,
        "label": "Data source",
        "multi": False,
        "name": "datasource",
        "options": [],
        "query": "prometheus",
        "refresh": 1,
        "regex": "",
        "type": "datasource",
    }
    info, services = "carillon_build_info", dashboard.services
    where = 'namespace=~"$namespace"'
    yield _variable(
        "namespace", "Namespace", f"label_values({series(info, services, '')}, namespace)"
    )
    jobs = f"label_values({series(info, services, where)}, job)"
    # All is all of these: several services have metrics of one name.
    yield _variable("job", "Job", jobs, None)
    where += ',job=~"$job"'
    yield _variable(
        "instance", "Instance", f"label_values({series(info, services, where)}, instance)"
    )
    for name, metric in dashboard.others.items():
        yield _variable(name, f"Job of {name}", f"label_values({metric}, job)")


def _variable(name: str, label: str, query: str, all_value: str | None = ALL) -> Json:
    return {
        "allValue": all_value,
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "datasource": DATASOURCE,
        "definition": query,
        "hide": 0,
        "includeAll": True,
        "label": label,
        "multi": True,
        "name": name,
        "options": [],
        "query": {
            "qryType": 1,
            "query": query,
            "refId": "PrometheusVariableQueryEditor-VariableQuery",
        },
        # When the time range changes: pods come and go.
        "refresh": 2,
        "regex": "",
        "sort": 1,
        "type": "query",
    }


# Annotations


def _built_in() -> Json:
    return {
        "builtIn": 1,
        "datasource": {"type": "grafana", "uid": "-- Grafana --"},
        "enable": True,
        "hide": True,
        "iconColor": "rgba(0, 211, 255, 1)",
        "name": "Annotations & Alerts",
        "type": "dashboard",
    }


def _annotations() -> Iterator[Json]:
    # Of all jobs: a drain of gateways explains what is seen in web, too.
    where = 'namespace=~"$namespace"'
    draining = series("carillon_gateway_draining", "", where)
    yield _annotation(
        "Drains", "orange", f"max by (instance) ({draining}) == 1", "{{instance}} drains"
    )
    builds = f"count by (version, revision) ({series('carillon_build_info', '', where)}"
    yield _annotation(
        "Rollouts",
        "blue",
        f"{builds}) unless {builds} offset 2m)",
        "{{version}} ({{revision}}) is rolled out",
    )


def _annotation(name: str, color: str, expression: str, title: str) -> Json:
    return {
        "datasource": DATASOURCE,
        "enable": True,
        # Where Grafana looked for it until 11, and where it looks now.
        "expr": expression,
        "target": {"expr": expression, "interval": REFRESH, "range": True, "refId": "Anno"},
        "hide": False,
        "iconColor": color,
        "name": name,
        "step": REFRESH,
        "tagKeys": "",
        "textFormat": "",
        "titleFormat": title,
    }


def _link() -> Json:
    return {
        "asDropdown": True,
        "icon": "external link",
        "includeVars": True,
        "keepTime": True,
        "tags": ["carillon"],
        "targetBlank": False,
        "title": "Carillon",
        "tooltip": "",
        "type": "dashboards",
        "url": "",
    }


# Panels


def _placed(rows: Sequence[Row]) -> Iterator[Json]:
    """Put each row's panels side by side, and rows below each other."""
    number, top = 0, 0
    for row in rows:
        number += 1
        yield {
            "collapsed": False,
            "gridPos": {"h": 1, "w": COLUMNS, "x": 0, "y": top},
            "id": number,
            "panels": [],
            "title": row.title,
            "type": "row",
        }
        top += 1
        left, height = 0, 0
        for panel in row.panels:
            if left + panel.width > COLUMNS:
                top, left, height = top + height, 0, 0
            number += 1
            place = {"h": panel.height, "w": panel.width, "x": left, "y": top}
            yield {"id": number, "gridPos": place, **_panel(panel)}
            left += panel.width
            height = max(height, panel.height)
        top += height


def _panel(panel: Panel) -> Json:
    return {
        "datasource": DATASOURCE,
        "description": panel.description,
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _options(panel),
        "targets": [
            {
                "datasource": DATASOURCE,
                "editorMode": "code",
                "expr": query.expression,
                "format": _FORMATS.get(panel.kind, "time_series"),
                "instant": panel.kind is Kind.TABLE,
                "legendFormat": query.legend or "__auto",
                "range": panel.kind is not Kind.TABLE,
                "refId": chr(ord("A") + position),
            }
            for position, query in enumerate(panel.queries)
        ],
        "title": panel.title,
        "transformations": _transformations(panel),
        "type": panel.kind.value,
    }


_FORMATS = {Kind.HEATMAP: "heatmap", Kind.TABLE: "table"}


def _defaults(panel: Panel) -> Json:
    defaults: Json = {
        "color": {"mode": _color_mode(panel)},
        "custom": _custom(panel),
        "mappings": _mappings(panel),
        "min": 0,
        "thresholds": {"mode": "absolute", "steps": _steps(panel.steps)},
        "unit": panel.unit.value,
    }
    if panel.most is not None:
        defaults["max"] = panel.most
    return defaults


def _color_mode(panel: Panel) -> str:
    return "thresholds" if panel.kind in {Kind.NUMBER, Kind.STATES} else "palette-classic"


def _steps(steps: Sequence[Step]) -> list[Json]:
    # The first one reaches down to minus infinity, which JSON writes as null.
    return [
        {"color": "green", "value": None},
        *({"color": step.color, "value": step.value} for step in steps),
    ]


def _mappings(panel: Panel) -> list[Json]:
    if panel.unit is not Unit.STATE:
        return []
    options = {
        value: {"color": color, "index": index, "text": text}
        for index, (value, (text, color)) in enumerate(STATES.items())
    }
    return [{"options": options, "type": "value"}]


def _custom(panel: Panel) -> Json:
    if panel.kind is Kind.STATES:
        return {"fillOpacity": 70, "lineWidth": 0}
    if panel.kind is not Kind.GRAPH:
        return {}
    return {
        "axisPlacement": "auto",
        "drawStyle": "line",
        "fillOpacity": 25 if panel.is_stacked else 10,
        "lineInterpolation": "linear",
        "lineWidth": 1,
        # A value that is alone between two gaps has no line.
        "showPoints": "auto",
        "spanNulls": False,
        "stacking": {"group": "A", "mode": "normal" if panel.is_stacked else "none"},
        "thresholdsStyle": {"mode": "line" if panel.steps else "off"},
    }


def _options(panel: Panel) -> Json:
    match panel.kind:
        case Kind.NUMBER:
            return {
                "colorMode": "value",
                "graphMode": "area",
                "justifyMode": "auto",
                "orientation": "auto",
                "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
                "textMode": "auto",
                "wideLayout": True,
            }
        case Kind.HEATMAP:
            return {
                # Prometheus has made the buckets.
                "calculate": False,
                "cellGap": 1,
                "color": {
                    "exponent": 0.5,
                    "fill": "dark-orange",
                    "mode": "scheme",
                    "reverse": False,
                    "scale": "exponential",
                    "scheme": "Oranges",
                    "steps": 64,
                },
                "filterValues": {"le": 1e-9},
                "legend": {"show": True},
                "rowsFrame": {"layout": "auto"},
                "tooltip": {"mode": "single", "showColorScale": True, "yHistogram": False},
                "yAxis": {"axisPlacement": "left", "reverse": False, "unit": panel.unit.value},
            }
        case Kind.STATES:
            return {
                "alignValue": "left",
                "legend": _LEGEND,
                "mergeValues": True,
                "rowHeight": 0.8,
                "showValue": "auto",
                "tooltip": {"mode": "single", "sort": "none"},
            }
        case Kind.TABLE:
            return {"cellHeight": "sm", "footer": {"show": False}, "showHeader": True}
        case Kind.GRAPH:
            return {"legend": _LEGEND, "tooltip": {"mode": "multi", "sort": "desc"}}


_LEGEND = {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True}


def _transformations(panel: Panel) -> list[Json]:
    if panel.kind is not Kind.TABLE:
        return []
    hidden = dict.fromkeys(("Time", *panel.hidden), True)
    return [{"id": "organize", "options": {"excludeByName": hidden, "indexByName": {}}}]
