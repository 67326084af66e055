"""The event types: one module each, with an `EventType` at its top level and samples of its bodies.

A module that is put here is part of the program: topics, hints, schemas, samples and documentation derive from it.
Nothing else needs an edit. Modules here declare; they read nothing and know no other stage.
"""
