"""Commands of the operator about owners."""
