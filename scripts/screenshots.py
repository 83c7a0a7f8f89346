"""Takes the README's pictures of a real product: starts one in a fresh folder, works in it as Dev, and photographs it.

.venv/bin/python scripts/screenshots.py             docs/images/
.venv/bin/python scripts/screenshots.py --all DIR   every page, at 1440 and 390, light and dark, to look at
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.e2e import scene as scenes  # noqa: E402
from tests.e2e.acts import answer_the_form, launch, sign_in  # noqa: E402
from tests.e2e.pages import STOPS, visit  # noqa: E402
from tests.e2e.product import Product  # noqa: E402

CHROMIUM = "/usr/bin/chromium"
O = "/o/parcelwright"  # noqa: E741 - as in the addresses
WIDE, NARROW, HIGH = 1440, 390, 900
LONGEST = 6000
SERVICE, PURPOSE = "customs-desk", "Fills in the customs form of a parcel that crosses a border."


class Camera:
    """A browser on the product that writes PNG files."""

    def __init__(self, browser: Any, product: Product, folder: Path) -> None:
        self.browser, self.product, self.folder = browser, product, folder
        folder.mkdir(parents=True, exist_ok=True)

    def open(self, *, width: int = WIDE, theme: str = "light", state: Any = None) -> Any:
        context = self.browser.new_context(
            base_url=self.product.url,
            viewport={"width": width, "height": HIGH},
            color_scheme=theme,
            reduced_motion="reduce",
            storage_state=state,
        )
        return context.new_page()

    def shoot(self, page: Any, name: str, *, whole: bool = False) -> None:
        """The window as it is, or (whole) as high as the page."""
        if page.locator("[data-live]").count():
            page.locator("#live-light[data-state=live]").wait_for()
        else:
            page.wait_for_load_state("networkidle")
        page.evaluate("document.fonts.ready")
        if whole:
            height = min(page.evaluate("document.documentElement.scrollHeight"), LONGEST)
            page.set_viewport_size({"width": page.viewport_size["width"], "height": max(height, HIGH)})
        file = self.folder / f"{name}.png"
        page.screenshot(path=str(file))
        sys.stdout.write(f"{file}  {file.stat().st_size // 1024} KiB\n")


def readme(camera: Camera) -> None:
    """Dev launches a service and looks around; then the same places by night."""
    page = sign_in(camera.open(), "dev")
    page.goto(f"{O}/paths/python-web-service/")
    page.get_by_label("Name", exact=True).fill(SERVICE)
    page.get_by_label("What it does").fill(PURPOSE)
    page.get_by_label("Owner", exact=True).select_option(label="Payments")
    camera.shoot(page, "path")
    page.goto(f"{O}/paths/python-web-service/")
    answer_the_form(page, SERVICE, purpose=PURPOSE)
    camera.shoot(page, "review")
    run = launch(page)
    page.locator(".datagrid").get_by_text("Succeeded").wait_for(timeout=60_000)
    camera.shoot(page, "run")
    entity = f"{O}/catalog/component/default/{SERVICE}/"
    page.goto(entity)
    page.get_by_text("All 2 pods are available.").first.wait_for(timeout=30_000)
    camera.shoot(page, "entity")
    page.goto(f"{O}/search/?q=what breaks if payment-db stops")
    camera.shoot(page, "answer")
    page.goto(f"{O}/catalog/?kind=Component&lifecycle=production")
    camera.shoot(page, "catalog")
    page.goto(f"{O}/clusters/northern-cluster/")
    page.get_by_text("In sync").first.wait_for()
    camera.shoot(page, "cluster")
    page.goto(f"{O}/")
    page.locator("[data-live]").get_by_text("Healthy").first.wait_for()
    camera.shoot(page, "home")
    night = camera.open(theme="dark", state=page.context.storage_state())
    for name, address in (("home-dark", f"{O}/"), ("entity-dark", entity), ("run-dark", f"{O}/runs/{run}/")):
        night.goto(address)
        camera.shoot(night, name)


def everything(camera: Camera) -> None:
    """Every stop of tests/e2e/pages.py."""
    scene = scenes.build(camera.browser, camera.product)
    for width in (WIDE, NARROW):
        for theme in ("light", "dark"):
            for stop in STOPS:
                page = camera.open(width=width, theme=theme, state=scene.states.get(stop.who))
                visit(page, stop, scene.facts)
                camera.shoot(page, f"{stop.name}-{width}-{theme}", whole=stop.act is None)
                page.context.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", metavar="DIR", type=Path, help="every page, into this folder")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="slipway-") as folder, sync_playwright() as playwright:
        product = Product(Path(folder))
        product.start()
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        try:
            if chosen.all:
                everything(Camera(browser, product, chosen.all))
            else:
                readme(Camera(browser, product, ROOT / "docs" / "images"))
        finally:
            browser.close()
            product.stop()


if __name__ == "__main__":
    main()
