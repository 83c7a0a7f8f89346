"""What the tests about people share."""

from collections.abc import Iterator

import pytest
from django.core.cache import cache


@pytest.fixture(autouse=True)
def no_memory_of_earlier_attempts() -> Iterator[None]:
    """Rate limits live in the cache; one test's guesses must not slow down the next."""
    cache.clear()
    yield
    cache.clear()
