"""What a release is made with: versions that agree, notes, packages, the SBOM. Not part of the program.

Each module is a command (`python -m release.notes 0.2.0`); docs/releasing.md says when it is run, the workflows in
.github/workflows/ run them. Nothing in here publishes.
"""
