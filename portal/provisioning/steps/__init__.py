"""What a run can do, one file an action."""
