"""The configuration: a YAML file becomes frozen, validated Settings, or a list of problems with their lines.

    load       the steps in order, with the files and the environment
    document   text → a tree of text with lines; ${VAR} and ${file:…} put in their place        [yaml]
    models     the whole file, and its sections (sources and topics are modules); made of section, units
    problems   what is wrong, or valid and probably not meant, as a user reads it
    changes    two configurations → what differs, and what of it a running bridge can take
    reference  every option as data, from which the schema and the documentation's tables derive

Nothing here knows the event catalogue: its names come in as an argument. No text made here holds a secret.
"""
