"""The types of the examples: generated from the schemas that the bridge ships.

`bundle` makes one schema of all of them, `generators` makes types of it for each language, with that language's own
tool. `python -m examples.schema` (or `make types`) does both.
"""
