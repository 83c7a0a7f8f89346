"""Announcements reach whoever watches: rendered once, newest state wins, gaps heal."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator

import pytest

from portal.kit import announcing
from portal.kit.announcing import Hub, Listener


class Truth:
    """What a topic says, and how often it was asked."""

    def __init__(self) -> None:
        self.says: str | None = "first"
        self.renders = 0

    def render(self, organisation_id: int, topic: str) -> str | None:
        self.renders += 1
        if self.says == "bug":
            raise ValueError("a fragment that cannot be rendered")
        return self.says


async def heard(listener: Listener, seconds: float = 3) -> list[dict]:
    async with asyncio.timeout(seconds):
        await listener.wake.wait()
    found = []
    for message in listener.take():
        name, data = message.decode().strip().split("\n")
        found.append({"event": name.removeprefix("event: "), **json.loads(data.removeprefix("data: "))})
    return found


@pytest.fixture
async def truth() -> Truth:
    return Truth()


@pytest.fixture
async def hub(truth: Truth, valkey_url: str) -> AsyncIterator[Hub]:
    hub = Hub(truth.render)
    yield hub
    tasks = [task for task in (hub.reader, hub.feeler) if task]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def subscribed(hub: Hub, *listeners: Listener) -> None:
    """Joined, past the snapshot and the healing round that follows the subscription to Valkey."""
    for listener in listeners:
        hub.join(listener)
    async with asyncio.timeout(5):
        await hub.listening.wait()
        while hub.busy:
            await asyncio.sleep(0.005)
    for listener in listeners:
        listener.take()


async def test_a_stream_opens_with_a_snapshot(hub: Hub) -> None:
    listener = Listener(1, frozenset({"run:1"}))
    hub.join(listener)
    [message] = await heard(listener)
    assert (message["event"], message["topic"], message["html"]) == ("topic", "run:1", "first")


async def test_a_change_is_rendered_once_for_everybody(hub: Hub, truth: Truth) -> None:
    two = [Listener(1, frozenset({"run:1"})) for _ in range(2)]
    await subscribed(hub, *two)
    before = truth.renders
    truth.says = "second"
    announcing.announce(1, "run:1")
    assert [(await heard(listener))[0]["html"] for listener in two] == ["second", "second"]
    assert truth.renders == before + 1


async def test_an_announcement_nobody_watches_renders_nothing(hub: Hub, truth: Truth) -> None:
    listener = Listener(1, frozenset({"run:1"}))
    await subscribed(hub, listener)
    before = truth.renders
    announcing.announce(1, "run:2")
    announcing.announce(2, "run:1")  # the organisation next door
    announcing.announce(1, "run:1")
    await heard(listener)
    assert truth.renders == before + 1


async def test_the_slow_get_the_latest_state_only(hub: Hub, truth: Truth) -> None:
    listener = Listener(1, frozenset({"run:1"}))
    await subscribed(hub, listener)
    for number in range(20):
        truth.says = f"state {number}"
        announcing.announce(1, "run:1")
    async with asyncio.timeout(5):
        while b"state 19" not in b"".join(listener.waiting.values()) or hub.busy:
            await asyncio.sleep(0.005)
    [message] = await heard(listener)
    assert message["html"] == "state 19"


async def test_what_is_gone_says_so(hub: Hub, truth: Truth) -> None:
    listener = Listener(1, frozenset({"run:1"}))
    await subscribed(hub, listener)
    truth.says = None
    announcing.announce(1, "run:1")
    assert (await heard(listener))[0]["event"] == "gone"


async def test_what_cannot_be_rendered_is_called_late_and_tried_again_by_itself(hub: Hub, truth: Truth) -> None:
    listener = Listener(1, frozenset({"run:1"}))
    await subscribed(hub, listener)
    truth.says = "bug"
    announcing.announce(1, "run:1")
    [message] = await heard(listener)
    assert (message["event"], message["topic"], message["late"]) == ("late", "run:1", True)
    truth.says = "mended"
    assert (await heard(listener))[0]["html"] == "mended"


async def test_what_nobody_announces_is_felt_by_its_pulse(hub: Hub, truth: Truth, monkeypatch) -> None:
    alive, felt = {None: True}, []

    def pulse(organisation: None) -> bool:
        felt.append(organisation)
        return alive[organisation]

    monkeypatch.setattr(announcing, "PULSE_EVERY", 0.05)
    kind = announcing.TopicKind("status", "org.view", truth.render, pulse=pulse)
    monkeypatch.setitem(announcing.TOPICS, "status", kind)
    watching, other = Listener(1, frozenset({"status:1"})), Listener(1, frozenset({"run:1"}))
    await subscribed(hub, watching, other)
    before = truth.renders
    felt.clear()
    async with asyncio.timeout(5):
        while len(felt) < 3:
            await asyncio.sleep(0.005)
    assert truth.renders == before
    alive[None], truth.says = False, "nobody is watching"
    assert (await heard(watching))[0]["html"] == "nobody is watching"
    assert truth.renders == before + 1
    assert not other.wake.is_set()


async def test_a_pulse_is_compared_with_what_is_shown_not_with_the_last_one(
    hub: Hub, truth: Truth, monkeypatch
) -> None:
    """It may go away and come back between two feelings, with an announced rendering in between."""
    alive = {None: False}
    monkeypatch.setattr(announcing, "PULSE_EVERY", 0.3)
    kind = announcing.TopicKind("status", "org.view", truth.render, pulse=lambda organisation: alive[organisation])
    monkeypatch.setitem(announcing.TOPICS, "status", kind)
    listener = Listener(1, frozenset({"status:1"}))
    await subscribed(hub, listener)
    alive[None], truth.says = True, "watched again"
    announcing.announce(1, "status:1")
    assert (await heard(listener))[0]["html"] == "watched again"
    alive[None], truth.says = False, "gone before it was felt"
    assert (await heard(listener))[0]["html"] == "gone before it was felt"


async def test_a_rendering_that_nobody_waits_for_any_more_is_not_kept(hub: Hub, truth: Truth) -> None:
    begun, left = threading.Event(), threading.Event()

    def render(organisation_id: int, topic: str) -> str | None:
        begun.set()
        left.wait(5)
        return "too late"

    hub.render = render
    listener = Listener(1, frozenset({"run:1"}))
    hub.join(listener)
    assert await asyncio.to_thread(begun.wait, 5)
    hub.leave(listener)
    left.set()
    await asyncio.gather(*hub.tasks)
    assert hub.rendered == {}


async def test_a_gap_in_valkey_heals_by_a_new_rendering(hub: Hub, truth: Truth) -> None:
    listener = Listener(1, frozenset({"run:1"}))
    await subscribed(hub, listener)
    truth.says = "said while nobody could hear"
    announcing.valkey().execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    assert (await heard(listener, 5))[0]["html"] == "said while nobody could hear"


async def test_a_topic_without_listeners_is_forgotten(hub: Hub) -> None:
    listener = Listener(1, frozenset({"run:1"}))
    await subscribed(hub, listener)
    hub.leave(listener)
    assert hub.listeners == {}
    assert hub.rendered == {}


async def test_a_smaller_view_follows_the_larger_ones_announcements(hub: Hub, truth: Truth, monkeypatch) -> None:
    monkeypatch.setitem(
        announcing.TOPICS, "badge", announcing.TopicKind("badge", "org.view", truth.render, follows="run")
    )
    listener = Listener(1, frozenset({"badge:1"}))
    await subscribed(hub, listener)
    truth.says = "second"
    announcing.announce(1, "run:1")
    [message] = await heard(listener)
    assert (message["topic"], message["html"]) == ("badge:1", "second")
