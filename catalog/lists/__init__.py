"""Lists of entities: what is chosen and how it is shown, saved views, stars, many changed at once."""
