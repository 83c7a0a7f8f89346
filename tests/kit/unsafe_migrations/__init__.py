"""Migrations that would stop a running product: what the linter is there to refuse."""
