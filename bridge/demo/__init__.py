"""The main job, run for real where a newcomer can see it: a Kafka, the bridge as its own process, Treble's traffic.

`play` runs it from start to end, `serve` stays up; the parts in the order of their use:

    plan       names, tokens, and the configuration file of one run                   [pure]
    embedded   a Kafka without an installation, as a process that can be frozen
    broker     that one, or the Kafka that the user names
    processes  the demo's child processes: started, watched, always stopped
    stage      Kafka, bridge and consumer, put up and taken down
    traffic    the webhooks of each act, with what must become of each                [pure]
    caller     HTTP: posts webhooks, asks the bridge's admin port
    acts, run  the acts, and what each of them needs
    ledger     what was sent, answered, and came out; whether it all adds up          [pure]
    screen     what a run has to tell; how it looks is the command line's business

Nothing here is used by the bridge itself, and the bridge is only spoken to as a stranger would: file, HTTP, Kafka.
"""
