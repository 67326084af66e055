"""An entry becomes an event and then a record, or a dead letter. Pure: no loop, no network, no clock, no disk.

`prepare` is the way through; `normalize` reads a body by the catalogue, `custom_events` by the configuration,
`redaction` hides what a topic must not hold, `cloudevents` writes the envelope, `dead_letter` keeps what is no event.
"""
