"""The Helm chart, and what is generated in it: `python -m helm.generate`."""
