"""What Helm makes of the chart: lint, renders, schemas. Nothing is installed: that is tests/cluster."""
