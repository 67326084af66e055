"""The chart on a Kubernetes: installed, used, upgraded, disturbed. `make cluster-test`; see docs/kubernetes.md.

Everything happens in one namespace with a random name, which is removed at the end: Kafka, the callers, the releases.
What a test claims is measured inside the cluster, through the Service, as a caller in the cluster sees it.
"""
