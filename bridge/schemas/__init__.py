"""What consumers may rely on, as documents for machines: JSON Schema for each event type, AsyncAPI for the topics.

`event`, `quarantined` and `headers` make the schemas out of the catalogue; `examples` makes records out of its
samples; `asyncapi` makes the document of all topics. `generate` writes them into `v1/`, which is shipped; `shipped`
reads them there. Nothing stands here twice: a test compares the files with what is made today.
Nothing is imported here, so that reading a shipped file costs no more than that.
"""
