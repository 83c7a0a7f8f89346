"""Golden paths: templates, versions, forms, rendering, preview."""
