"""Changing hands: what is offered to another team, who answers, and when it counts. See docs/adr/0200."""
