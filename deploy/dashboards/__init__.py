"""
Grafana dashboards as data: what each panel asks, and one place that knows Grafana's JSON.

`python -m deploy.dashboards` writes `deploy/k8s/chart/dashboards/*.json`, which are committed: the
chart ships them as they are, and whoever has no checkout imports them by hand.
"""
