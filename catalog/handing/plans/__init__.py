"""Reorganisations: what their steps come to, what that changes, and doing and undoing it as a whole. docs/adr/0202."""
