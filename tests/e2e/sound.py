"""What every page owes its readers, asked of the page that is open: axe-core in both themes, wide and on a phone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
AXE = (Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js").read_text()
RUN_AXE = """async () => (await axe.run(document, {resultTypes: ["violations"], preload: false})).violations.map(
  (one) => `${one.id}: ${one.nodes.map((node) => `${node.target} ${node.failureSummary}`).join(" | ")}`)"""


def assert_is_sound(page: Any) -> None:
    """axe finds nothing, and the phone scrolls one way only. Begins light and wide; ends dark and narrow."""
    page.evaluate(AXE)
    assert (found := page.evaluate(RUN_AXE)) == [], found
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size(NARROW)
    page.locator("html[data-bs-theme=dark]").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    assert (found := page.evaluate(RUN_AXE)) == [], found


def assert_is_sound_here(page: Any) -> None:
    """The same in the middle of a journey: the page is wide and light again afterwards."""
    page.emulate_media(reduced_motion="reduce", color_scheme="light")
    page.set_viewport_size(WIDE)
    page.locator("html[data-bs-theme=light]").wait_for()
    assert_is_sound(page)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(WIDE)
