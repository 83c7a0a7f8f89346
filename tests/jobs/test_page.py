"""The page of a job in a browser: it follows by itself, and leads on to the result or back to the form."""

import re
from pathlib import Path

import pytest

REGISTER = "/o/acme/catalog/sources/register/"
TEXT = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: parcel-scale}
spec: {type: service, lifecycle: production, owner: payments}
"""


@pytest.mark.browser
def test_registering_leads_on_by_itself_and_back_to_the_form_when_refused(
    committed_world, celery_worker, signed_in, tmp_path: Path
):
    (tmp_path / "catalog-info.yaml").write_text(TEXT)
    page = signed_in(committed_world.dev)
    page.goto(REGISTER)
    page.get_by_label("Kind").select_option("folder")
    page.get_by_label("Address").fill(str(tmp_path))
    page.get_by_role("button", name="Register", exact=True).click()
    page.wait_for_url(re.compile(r"/sources/\d+/$"), timeout=15_000)
    page.get_by_role("link", name="parcel-scale").wait_for()
    page.get_by_text(f"Registered {tmp_path}: 1 entity.").wait_for()

    page.goto(REGISTER)
    page.get_by_label("Kind").select_option("folder")
    page.get_by_label("Address").fill(str(tmp_path))
    page.get_by_label("File", exact=True).fill("nowhere.yaml")
    page.get_by_role("button", name="Register", exact=True).click()
    page.wait_for_url(re.compile(r"register/\?job="), timeout=15_000)
    assert page.get_by_text('There is no file "nowhere.yaml" in this source.').is_visible()
    assert page.get_by_label("Address").input_value() == str(tmp_path)


@pytest.mark.browser
def test_a_job_that_waits_is_shown_can_be_left_and_called_off(committed_world, signed_in, tmp_path: Path):
    """No worker is at hand: the job waits, and its page says so."""
    (tmp_path / "catalog-info.yaml").write_text(TEXT)
    page = signed_in(committed_world.dev)
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(REGISTER)
    page.get_by_label("Kind").select_option("folder")
    page.get_by_label("Address").fill(str(tmp_path))
    page.get_by_role("button", name="Register", exact=True).click()
    page.wait_for_url(re.compile(r"/jobs/"))
    assert page.get_by_text("A worker takes it up in a moment.").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    here = page.url
    page.goto("/o/acme/catalog/")
    page.goto(here)
    page.get_by_role("button", name="Call it off").click()
    page.get_by_text("Cancelled").wait_for()
    assert page.get_by_role("link", name="Back", exact=True).is_visible()
