"""The questions of a path: their schema, the form, the fields, and what may be answered."""
