"""The main job, run for real where a newcomer can see it: a Kafka, the bridge as its own process, Treble's traffic.

    broker    the Kafka of a run: an embedded one that can be frozen, or the one that the user names
    plan      names, tokens, and the configuration file of one run                                        [pure]
    stage     Kafka, bridge and consumer, put up and taken down
    posting   webhooks over HTTP; `treble-bridge send` posts with it, too
    ledger    what was sent, answered, and came out; whether it adds up                                   [pure]
    play      the acts, in their order; or staying up for webhooks posted by hand

The webhooks are those of `bridge.catalogue.samples`. The bridge uses nothing of this, and the demo speaks to the
bridge as a stranger would: by file, HTTP and Kafka.
"""
