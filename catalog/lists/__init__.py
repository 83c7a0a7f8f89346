"""Lists of entities: what is chosen and how it is shown, saved views, stars, recent looks, many changed at once."""
