"""Traces: which there are, what their spans say, and how they leave (OpenTelemetry).

    spans        a span as a value                                             [pure]
    requests     the span of a request, and what the journal keeps of it
    forwarding   the spans of a batch: an event's, the transaction's
    exporting    spans → the collector, in a thread of its own                 [opentelemetry]
    start        the configuration → all of it, or nothing where traces are off

The decision whether a trace is kept is made once, where it begins, and stands in the flags of `traceparent`: in the
journal, so that a restart does not part a trace, and in the record, for consumers. No text here holds what people said,
or a secret: what a span may say are words of this code, names of the configuration, ids and numbers.
"""
