"""The configuration: a YAML file becomes frozen, validated Settings, or a list of errors with their lines.

    document   text → a tree of text with lines                        [yaml]
    expand     ${VAR} and ${file:…} inside a scalar
    scalars    what a plain scalar looks like, where that is asked for
    models     the sections and their contradictions: process, kafka, sources, topics; secrets, section, units
    explain    pydantic's errors → what a user reads
    doubts     what is valid, and probably not meant
    load       the steps in order, with the files and the environment
    changes    two configurations → what differs, and what of it a running bridge can take
    digest     a hash that tells configurations apart
    listen     why an address to listen on can't be had
    options    every option as data, from which schema and tables derive

Nothing here knows the event catalogue: its names come in as an argument. No text made here holds a secret.
"""
