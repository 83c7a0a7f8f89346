"""Generated paths walk through both worlds: review and run agree on steps, inputs, files, refusal and output."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from portal.provisioning.models import LogLine
from tests.conftest import make_world
from tests.provisioning.conftest import make_version, rows
from tests.provisioning.worlds import carry_out, pretend

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

BUNDLE = {
    "skeleton/README.md": b"# ${{ values.name }}\n",
    "skeleton/${{ values.name }}/app.py": b"{% for one in values.items %}${{ one }}\n{% endfor %}",
    "static/LICENSE": b"free\n",
    "static/docs/a.md": b"a\n",
}
VALUES = {
    "name": "orders",
    "items": ["one", "two"],
    "none": None,
    "yes": True,
    "no": False,
    "map": {"a": "x", "b": "y"},
}
PARAMETERS = {"properties": {"token": {"type": "string", "ui:field": "Secret"}}}
IDS = ("alpha", "beta", "gamma-ray", "delta", "echo")
TEXTS = st.sampled_from([
    "plain", "${{ parameters.name }}", "${{ parameters.items[1] }} of ${{ parameters.items | length }}",
    "[${{ parameters.none }}]", "${{ parameters.nope }}", "token ${{ secrets.token }}", "${{ secrets.token | upper }}",
    "${{ user.ref }} ${{ user.entity.spec.profile.email }}", "${{ steps['alpha'].output.repo }}",
    "${{ steps['beta'].output.remoteUrl | default('none') }}", "${{ steps['gamma-ray'].output.repo[0] }}",
    "${{ environment.parameters.x | default('unset') }}", "{% if failure() %}bad{% else %}good{% endif %}",
    "${{ 1 / 0 }}",
    "{% for i in parameters.none %}x{% endfor %}", "${{ parameters.name | nofilter }}",
])  # fmt: skip
IN_LOOPS = st.sampled_from(["${{ each.key }}=${{ each.value }}", "${{ each.value.name }}", "${{ each.value | upper }}"])
CONDITIONS = st.sampled_from([
    True, False, "${{ parameters.yes }}", "${{ parameters.no }}", "${{ parameters.none }}", "${{ always() }}",
    "${{ failure() }}", "${{ always() and parameters.no }}", "${{ parameters.items | length > 1 }}", "false",
    "${{ steps['alpha'].output.repo }}", "${{ parameters.nope }}", "${{ secrets.token }}",
])  # fmt: skip
LOOPS = st.sampled_from([
    "${{ parameters.items }}", "${{ parameters.none }}", "${{ parameters.map }}", ["a", "${{ parameters.name }}"], [],
    "${{ parameters.name }}", ["${{ secrets.token }}", "b"], "${{ range(150) }}",
])  # fmt: skip
NAMES = st.sampled_from(["orders", "Bad Name", "${{ parameters.name }}", "${{ parameters.name }}-two", "third"])
PATHS = st.sampled_from(["README.md", "docs", "LICENSE", "nowhere", "../up", "orders/app.py", "${{ parameters.name }}"])


def text(loops: bool) -> st.SearchStrategy[str]:
    return TEXTS | IN_LOOPS if loops else TEXTS


@st.composite
def steps(draw: st.DrawFn) -> dict[str, Any]:
    is_loop = draw(st.integers(0, 3)) == 0
    action, given = draw(
        st.one_of(
            st.tuples(st.just("debug:log"), st.fixed_dictionaries({"message": text(is_loop)})),
            st.tuples(
                st.just("fetch:template"),
                st.fixed_dictionaries(
                    {
                        "url": st.just("./skeleton"),
                        "values": st.fixed_dictionaries({"name": NAMES, "items": st.just(["x"])}),
                    },
                    optional={"targetPath": st.just("sub"), "replace": st.booleans()},
                ),
            ),
            st.tuples(st.just("fetch:plain"), st.fixed_dictionaries({"url": st.sampled_from(["./static", "./gone"])})),
            st.tuples(
                st.just("fs:rename"),
                st.fixed_dictionaries(
                    {"files": st.lists(st.fixed_dictionaries({"from": PATHS, "to": PATHS}), max_size=2)}
                ),
            ),
            st.tuples(st.just("fs:delete"), st.fixed_dictionaries({"files": st.lists(PATHS, max_size=2)})),
            st.tuples(
                st.just("publish:slipway"),
                st.fixed_dictionaries(
                    {"repo": st.just("r-${{ each.key }}") if is_loop else NAMES},
                    optional={"sourcePath": PATHS, "defaultBranch": st.just("trunk")},
                ),
            ),
        )
    )
    step: dict[str, Any] = {"action": action, "input": given}
    if is_loop:
        step["each"] = draw(LOOPS)
    if draw(st.booleans()):
        step["if"] = draw(CONDITIONS)
    return step


@st.composite
def paths(draw: st.DrawFn) -> list[dict[str, Any]]:
    written = draw(st.lists(steps(), min_size=1, max_size=5))
    for index, step in enumerate(written):
        step["id"] = draw(st.sampled_from(IDS)) if draw(st.integers(0, 5)) == 0 else IDS[index]
    return written


LINKS = st.lists(
    st.fixed_dictionaries(
        {"title": TEXTS},
        optional={
            "url": st.sampled_from(["https://a.example/", "${{ steps['alpha'].output.remoteUrl }}"]),
            "if": CONDITIONS,
        },
    ),
    max_size=3,
)
LAST = {
    "id": "last",
    "action": "debug:log",
    "if": "${{ always() }}",
    "input": {"listWorkspace": "with-contents"},
}


@settings(max_examples=40, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(written=paths(), links=LINKS)
def test_the_review_and_the_run_agree(
    one_world: Any, written: list[dict[str, Any]], links: list[dict[str, Any]]
) -> None:
    version = make_version(one_world, [*written, LAST], files=BUNDLE, output={"links": links}, parameters=PARAMETERS)
    note(str(written))
    seen, made = pretend(one_world, version, VALUES)
    done, run = carry_out(one_world, version, VALUES, {"token": "hunter2-hunter2"})
    assert seen.steps == done.steps
    assert seen.refusal == done.refusal
    assert seen.output == done.output
    assert run.status == ("failed" if done.refusal else "succeeded")
    listed = [line.text for line in sorted(rows(LogLine, run), key=lambda line: line.seq) if line.text.startswith("  ")]
    shown = []
    for file in made.files:
        shown += [f"  {file.path} ({file.size} bytes)", *(f"    {line}" for line in file.lines)]
    assert listed[-len(shown) :] == shown if shown else True
    forget(one_world)


def forget(world: Any) -> None:
    """What one example made outside the run is not there for the next one."""
    from portal.githosts.hosts import HOSTS
    from portal.githosts.models import Repository
    from tests.conftest import by

    with world.tenant():
        names = list(Repository.objects.for_tenant(world.acme).values_list("name", flat=True))
    for name in names:
        HOSTS["slipway"].delete_repository(HOSTS["slipway"].find_repository(world.acme, name), actor=by(world.dev))


@pytest.fixture
def one_world(transactional_db: None, silent: Any, tmp_path: Any, settings: Any) -> Any:
    settings.GIT_ROOT = tmp_path / "git"
    return make_world()
