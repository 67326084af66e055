"""Programs that run in pods of the cluster, on the bridge's own image. They import nothing of tests/."""
