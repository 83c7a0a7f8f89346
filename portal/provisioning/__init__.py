"""Runs: durable execution of golden paths."""
