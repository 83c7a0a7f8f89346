"""${{ values.name }}: a web service on Python's standard library."""

__version__ = "0.1.0"
