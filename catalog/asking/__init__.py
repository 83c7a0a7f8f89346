"""How entities are found: filters, order, pages and facets over rows."""
