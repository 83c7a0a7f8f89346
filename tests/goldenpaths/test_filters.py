"""Filters that differ from Jinja's, and that none of them ends the renderer."""

from typing import Any

import pytest

from portal.goldenpaths.language.rendering import RenderError, RenderJob, render_tree

CONTEXT: dict[str, Any] = {"parameters": {"unanswered": None, "name": "my-service", "some": {"a": None}, "list": [1]}}


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("${{ 'my-service' | title }}", "My-service"),
        ("${{ 'my OLD service' | title }}", "My Old Service"),
        ("${{ 'abc' | truncate(2) }}", "ab..."),
        ("${{ 'abc' | truncate(0) }}", "..."),
        ("${{ 'one two three' | truncate(8) }}", "one two..."),
        ("${{ 'one two three' | truncate(8, true) }}", "one two ..."),
        ("${{ 'one two' | truncate(3, false, '!') }}", "one!"),
        ("${{ 'short' | truncate }}", "short"),
        ("${{ parameters.unanswered | dump }}", ""),
        ("${{ parameters.some | dump }}", '{"a":null}'),
        ("${{ parameters.name | dump }}", '"my-service"'),
    ],
)
def test_filters_mean_what_the_originals_do(text: str, printed: str) -> None:
    assert render_tree([RenderJob(text)], CONTEXT) == [printed]


@pytest.mark.parametrize("argument", ["-1", "0", "'x'", "parameters.unanswered", "parameters.list"])
@pytest.mark.parametrize("name", ["truncate", "batch", "center", "indent", "round", "slice", "int", "first", "title"])
def test_no_filter_ends_the_renderer(name: str, argument: str) -> None:
    """An odd argument is a sentence at most: the renderer answers for the other texts too."""
    jobs = [RenderJob("${{ 'abc' | " + f"{name}({argument})" + " }}"), RenderJob("${{ 1 + 1 }}")]
    assert _printed_or_said(jobs) in ("2", "The expression cannot be worked out")


def _printed_or_said(jobs: list[RenderJob]) -> str:
    try:
        return str(render_tree(jobs, CONTEXT)[1])
    except RenderError as error:
        return error.sentence.partition(":")[0]
