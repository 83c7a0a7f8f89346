"""Watching clusters: list, watch, judge what changed, and publish it."""
