"""Pages that look across the rooms: home, search, attention."""
