"""A cache that is allowed to be away: a miss, never an error (Valkey holds no truth)."""

import functools
import logging
from collections.abc import Callable
from typing import Any

from django.core.cache.backends.redis import RedisCache

from portal.kit import away

log = logging.getLogger(__name__)


def _or(fallback: Callable[[], Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def wrap(method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def tolerant(*args: Any, **kwargs: Any) -> Any:
            try:
                return method(*args, **kwargs)
            except away.BROKER as error:
                log.warning("cache is away: %s", error)
                return fallback()

        return tolerant

    return wrap


class TolerantCache(RedisCache):
    """Django's Redis cache, with every operation a no-op while the server cannot be reached."""

    add = _or(lambda: True)(RedisCache.add)
    get = _or(lambda: None)(RedisCache.get)
    set = _or(lambda: None)(RedisCache.set)
    touch = _or(lambda: False)(RedisCache.touch)
    delete = _or(lambda: False)(RedisCache.delete)
    get_many = _or(dict)(RedisCache.get_many)
    has_key = _or(lambda: False)(RedisCache.has_key)
    incr = _or(lambda: 1)(RedisCache.incr)
    set_many = _or(list)(RedisCache.set_many)
    delete_many = _or(lambda: None)(RedisCache.delete_many)
    clear = _or(lambda: False)(RedisCache.clear)
