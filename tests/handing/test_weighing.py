"""Evidence is weighed: what is clear is said in words, what is not is silence. No database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from catalog.handing.codeowners import parse
from catalog.handing.gathering import Gathered, Known
from catalog.handing.judging import Judge, measure
from catalog.handing.weighing import Evidence, GitHistory, Thing, TouchedFiles, belonging, by_commits, weigh, work_on

PAY, SHIP, DATA = "group:default/pay", "group:default/ship", "group:default/data"
NOW = datetime(2026, 11, 27, tzinfo=UTC)


def piece(ref: str, worth: float) -> Evidence:
    return Evidence("commits", ref, worth, "because")


def change(mail: str, *paths: str, days: int = 1) -> TouchedFiles:
    return TouchedFiles(mail, NOW - timedelta(days=days), paths)


def known(name: str, owner: str = "", *, repository: str = "mono", place: str = "") -> Known:
    return Known(name, f"component:default/{name}", name, repository, name, place, owner)


def test_what_is_clear_is_said_in_words_and_what_is_not_is_silence():
    assert weigh([piece(PAY, 0.92)]).word == "Almost certain"
    assert weigh([piece(PAY, 0.5), piece(PAY, 0.5)]).word == "Likely"
    assert weigh([piece(PAY, 0.55)]).word == "Perhaps"
    assert weigh([piece(PAY, 0.4)]) is None
    assert weigh([piece(PAY, 0.7), piece(SHIP, 0.6)]) is None, "two are alike"
    assert weigh([]) is None


def test_who_was_declined_is_not_suggested_and_the_next_one_is():
    evidence = [piece(PAY, 0.9), piece(SHIP, 0.6)]
    assert weigh(evidence).to_ref == PAY
    assert weigh(evidence, {PAY}).to_ref == SHIP


def test_commits_speak_for_the_teams_of_their_authors_by_age_and_breadth():
    thing, other = Thing("a", "mono", "a"), Thing("b", "mono", "b", SHIP)
    changes = [change("pia@x", "a/1.py", days=day) for day in range(4)]
    changes += [change("sam@x", "a/1.py", days=900), change("sam@x", "a/1", "b/1"), change("[bot]@x", "a/1")]
    work = work_on([thing, other], {"mono": GitHistory((), changes)})
    assert set(work["a"]) == {"pia@x", "sam@x"}
    assert work["a"]["sam@x"] < 0.6 < 3.9 < work["a"]["pia@x"]
    [first, second] = by_commits(thing, work, belonging([thing, other], work, {"pia@x": [PAY], "sam@x": [SHIP]}))
    assert (first.to_ref, second.to_ref) == (PAY, SHIP)
    assert first.worth > 0.75 > 0.2 > second.worth
    assert "(pia)" in first.sentence


def test_somebody_in_no_team_speaks_for_whom_they_work_for_and_not_for_one_small_change():
    owned = [Thing(f"o{number}", "mono", f"o{number}", PAY) for number in range(5)]
    lost = Thing("lost", "mono", "lost")
    changes = [change("pia@x", f"o{number}/1") for number in range(5) for _ in range(4)]
    changes += [change("pia@x", "lost/1") for _ in range(5)]
    work = work_on([*owned, lost], {"mono": GitHistory((), changes)})
    assert weigh(by_commits(lost, work, belonging([*owned, lost], work, {}))).to_ref == PAY
    few = [change("pia@x", "o1/1"), *(change("pia@x", "lost/1") for _ in range(9))]
    work = work_on([*owned, lost], {"mono": GitHistory((), few)})
    assert weigh(by_commits(lost, work, belonging([*owned, lost], work, {}))) is None


def test_codeowners_names_a_team_as_it_is_called_or_as_what_it_owns_tells():
    files = [f"{name}/main.py" for name in ("a", "b", "c", "d")]
    told = GitHistory(files, (), parse("/a/ @org/pay\n/b/ @org/shippers\n/c/ @org/shippers\n/d/ @org/shippers"))
    rows = [known("a"), known("b", SHIP), known("c", SHIP), known("d")]
    judge = Judge(Gathered(rows, {"mono": told}, names={"pay": [PAY]}))
    assert judge.suggest("a").to_ref == PAY
    assert judge.suggest("a").evidence[0].sentence == "CODEOWNERS names @org/pay for 1 of its files."
    assert judge.suggest("d").to_ref == SHIP, "the host calls them otherwise"
    assert Judge(Gathered(rows, {"mono": told}), {"b", "c"}).suggest("d") is None


def test_neighbours_launchers_and_namespaces_speak():
    rows = [
        known("a", place="system:default/shop"),
        *(known(f"n{n}", PAY, place="system:default/shop") for n in range(4)),
    ]
    found = Judge(Gathered(rows)).suggest("a")
    assert (found.to_ref, found.word) == (PAY, "Perhaps")
    assert found.evidence[0].sentence == "4 of 4 others in shop are theirs."
    facts = Gathered([known("a")], launches={"a": ([SHIP], "Sam")}, namespaces={"a": {SHIP: ["ship-prod"]}})
    found = Judge(facts).suggest("a")
    assert (found.to_ref, found.word) == (SHIP, "Almost certain")
    assert [each.kind for each in found.evidence] == ["namespace", "launched"]


def test_measuring_hides_owners_all_at_once_and_counts_what_is_wrong():
    files = [f"{name}/main.py" for name in "abcdef"]
    told = GitHistory(files, (), parse("/a/ @pay\n/b/ @pay\n/c/ @pay\n/d/ @ship\n/e/ @ship\n/f/ @pay\n"))
    truth = dict(zip("abcdef", [PAY, PAY, PAY, SHIP, SHIP, DATA], strict=True))
    facts = Gathered([known(name, owner) for name, owner in truth.items()], {"mono": told},
                  names={"pay": [PAY], "ship": [SHIP]})  # fmt: skip
    found = measure(facts, share=1.0, turns=2)
    assert (found.asked, found.spoken, found.right) == (12, 12, 10)
    assert found.wrong == {("component:default/f", PAY, DATA): 2}
    assert (found.coverage, round(found.precision, 2)) == (1.0, 0.83)
