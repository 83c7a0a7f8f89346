"""Descriptors of a catalog as large as one likes, for measurements."""

from __future__ import annotations

from pathlib import Path

IN_A_FILE = 200
TEAMS = 60
LIFECYCLES = ("production", "experimental", "deprecated")
TYPES = ("service", "website", "library", "job", "worker")


def component(number: int, words: str) -> str:
    """One descriptor; each depends on another one and belongs to a system, so that relations are as many as in life."""
    return f"""apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: parcel-{TYPES[number % 5]}-{number}
  description: Moves parcel stream {number % 977} from one belt to the next and counts what falls off{words}.
  tags: [lang{number % 12}, tier{number % 4}]
  annotations: {{backstage.io/kubernetes-id: parcel-{number}}}
spec:
  type: {TYPES[number % 5]}
  lifecycle: {LIFECYCLES[number % 3]}
  owner: team-{number % TEAMS}
  system: system-{number % 300}
  dependsOn: ["component:parcel-{TYPES[(number // 2) % 5]}-{number // 2}"]
"""


def write(folder: Path, count: int, *, words: str = "") -> None:
    """The descriptors, a few hundred in a file; `words` end each one's description."""
    teams = "---\n".join(
        f"apiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata: {{name: team-{number}}}\n"
        "spec: {type: team, children: []}\n"
        for number in range(TEAMS)
    )
    (folder / "teams.yaml").write_text(teams)
    ending = f", {words}" if words else ""
    for start in range(0, count, IN_A_FILE):
        documents = [component(number, ending) for number in range(start, min(count, start + IN_A_FILE))]
        (folder / f"parcels-{start:06}.yaml").write_text("---\n".join(documents))
