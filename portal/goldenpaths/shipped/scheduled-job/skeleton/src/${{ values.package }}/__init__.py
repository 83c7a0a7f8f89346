"""${{ values.name }}: a job on a schedule."""

__version__ = "0.1.0"
