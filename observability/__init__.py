"""What an operator watches the bridge with, made from the code: the page of metrics, the Grafana dashboard.

`example_queries` and `metrics_page` make docs/metrics.md, `board_*` and `dashboard` the dashboard's JSON, `rules` reads
the rules for Prometheus, which are written by hand, for the documentation. Not part of the package that is installed.
"""
