"""Who answers for what, as dated statements: `stating` is the one verb that writes them, `reading` tells them.

What a file states comes in through catalog/index/owning, by the same rows. See docs/adr/0190.
"""
