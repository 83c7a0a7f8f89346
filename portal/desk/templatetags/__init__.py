"""Template tags that look across the rooms."""
