"""The catalog: entities, their relations and where they come from."""
