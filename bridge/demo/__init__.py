"""The main job, run for real where a newcomer can see it: a Kafka, the bridge as its own process, Treble's traffic.

    plan      names, tokens and configuration file of one run; what was sent and came out, and whether it adds up [pure]
    stage     Kafka (embedded, or the one that the user names), bridge and consumer, put up and taken down
    posting   webhooks over HTTP; `treble-bridge send` posts with it, too
    play      the acts, in their order; or staying up for webhooks posted by hand

The webhooks are those of `bridge.catalogue.samples`. The bridge uses nothing of this, and the demo speaks to the
bridge as a stranger would: by file, HTTP and Kafka.
"""
