"""Finds entities: every fact interned once, each with the set of entities that have it. See docs/adr/0120.

`writing` is the only way by which entities, their relations and these sets change; `reading` the only one by which
entities are filtered, counted and put in order. Nothing else touches the tables edge, fact, factblock, factkey, near.
"""
