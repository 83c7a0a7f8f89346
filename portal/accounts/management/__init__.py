"""Commands of the operator about organisations."""
