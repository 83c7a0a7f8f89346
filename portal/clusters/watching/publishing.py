"""Writing to Valkey what is the case: scripted, so that whoever held the cluster before is refused."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, cast

import redis.asyncio

from portal.clusters.status import FRESH_MILLISECONDS
from portal.kit import away
from portal.kit.announcing import CHANNEL

log = logging.getLogger(__name__)

# One call: refused when a newer owner has written; says whether the hash had been lost.
# KEYS[1] the hash. ARGV: epoch, channel, number of fields, field, value (empty: delete), …, topic, …
PUBLISH = """
local known = redis.call('HGET', KEYS[1], '_epoch')
if known and tonumber(known) > tonumber(ARGV[1]) then return -1 end
redis.call('HSET', KEYS[1], '_epoch', ARGV[1])
local last = 3 + 2 * tonumber(ARGV[3])
for i = 4, last, 2 do
  if ARGV[i + 1] == '' then redis.call('HDEL', KEYS[1], ARGV[i])
  else redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
end
for i = last + 1, #ARGV do redis.call('PUBLISH', ARGV[2], ARGV[i]) end
return known and 1 or 0
"""

# The heartbeat of every cluster of a process, in one call. A lost hash is not called fresh before it is filled again.
# KEYS: hash, freshness, … ARGV: milliseconds, epoch, state, … Answers as above for each.
BEAT = """
local said = {}
for i = 1, #KEYS, 2 do
  local known = redis.call('HGET', KEYS[i], '_epoch')
  local epoch, state = ARGV[i + 1], ARGV[i + 2]
  if known and tonumber(known) > tonumber(epoch) then
    said[#said + 1] = -1
  elseif known then
    redis.call('SET', KEYS[i + 1], state, 'PX', ARGV[1])
    said[#said + 1] = 1
  else
    said[#said + 1] = 0
  end
end
return said
"""
FENCED, LOST, WRITTEN = -1, 0, 1


@dataclass(frozen=True)
class Beat:
    """One cluster's heartbeat."""

    hash_key: str
    fresh_key: str
    epoch: int
    state: str


class Publisher:
    """The broker as the watchers use it. Every call answers None while Valkey is away."""

    def __init__(self, broker: redis.asyncio.Redis) -> None:
        self.broker = broker
        self._publish = broker.register_script(PUBLISH)
        self._beat = broker.register_script(BEAT)
        self.is_away = False

    async def publish(
        self, hash_key: str, epoch: int, organisation_id: int, fields: dict[str, bytes], topics: list[str]
    ) -> int | None:
        """One fenced write with its announcements: FENCED, LOST (it was, and is there again) or WRITTEN."""
        flat: list[Any] = [part for pair in fields.items() for part in pair]
        channel = f"{CHANNEL}{organisation_id}"
        try:
            found = await self._publish(keys=[hash_key], args=[epoch, channel, len(fields), *flat, *topics])
        except away.BROKER as error:
            self._away(error)
            return None
        self.is_away = False
        return int(found)

    async def beat(self, beats: list[Beat]) -> list[int] | None:
        """Says of each cluster that it is watched: FENCED, LOST (nothing was said) or WRITTEN."""
        if not beats:
            return []
        keys = [key for beat in beats for key in (beat.hash_key, beat.fresh_key)]
        values = [value for beat in beats for value in (beat.epoch, beat.state)]
        try:
            found = await self._beat(keys=keys, args=[FRESH_MILLISECONDS, *values])
        except away.BROKER as error:
            self._away(error)
            return None
        self.is_away = False
        return [int(item) for item in found]

    async def fields(self, hash_key: str) -> list[str] | None:
        """The names of what a hash holds."""
        try:
            return [name.decode() for name in cast(list[bytes], await self.broker.hkeys(hash_key))]
        except away.BROKER as error:
            self._away(error)
            return None

    async def values(self, hash_key: str, names: list[str]) -> dict[str, bytes] | None:
        """Some of what a hash holds."""
        if not names:
            return {}
        try:
            found = cast(list[bytes | None], await self.broker.hmget(hash_key, names))
        except away.BROKER as error:
            self._away(error)
            return None
        return {name: value for name, value in zip(names, found, strict=True) if value is not None}

    def _away(self, error: Exception) -> None:
        if not self.is_away:
            log.warning("status cannot be published: %s", error)
        self.is_away = True
