"""How entities come in: sources are read, compared, and stored."""
