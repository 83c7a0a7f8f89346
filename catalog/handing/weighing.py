"""From evidence to a suggestion with a confidence in words, or to silence. Pure: no database, no git."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from catalog.handing.codeowners import CodeOwners

# Of how much worth a piece of evidence is that points to one team alone.
CODEOWNERS, COMMITS, LAUNCHED, NEIGHBOURS, NAMESPACE = "codeowners", "commits", "launched", "neighbours", "namespace"
WORTH: Mapping[str, float] = {
    CODEOWNERS: 0.92, COMMITS: 0.9, LAUNCHED: 0.7, NEIGHBOURS: 0.6, NAMESPACE: 0.85,
}  # fmt: skip
# From which score on it is said, and by how much the best has to lead the second.
SPOKEN, LEAD = 0.5, 0.2
WORDS: Sequence[tuple[float, str]] = ((0.9, "Almost certain"), (0.7, "Likely"), (SPOKEN, "Perhaps"))
# A commit counts half after so many days; so many whole ones are a full voice.
HALF_LIFE, FULL_VOICE = 180.0, 3.0
# Of somebody who is in no team: from so much work on what others own, their work tells where they belong.
LEARNED_FROM = 2.0
# What a name in CODEOWNERS means is learned where so much of what it is named for is theirs.
SURE = 0.8
FEW = 3
# By thing, mail address -> how much of its recent work is theirs.
Worked = Mapping[str, Mapping[str, float]]
MOST_FILES = 2000


@dataclass(frozen=True)
class Evidence:
    """One reason to think that it belongs to them: its kind, what it is worth (0..1), and the sentence."""

    kind: str
    to_ref: str
    worth: float
    sentence: str


@dataclass(frozen=True)
class Suggested:
    """Whom it should belong to, how sure that is (0..1), and why, the strongest reason first."""

    to_ref: str
    score: float
    evidence: tuple[Evidence, ...]

    @property
    def word(self) -> str:
        return word_of(self.score)


def word_of(score: float) -> str:
    """The confidence in words."""
    return next((word for least, word in WORDS if score >= least), "")


def weigh(evidence: Iterable[Evidence], refused: Collection[str] = ()) -> Suggested | None:
    """The best suggestion, or None where nothing is sure enough or two are alike. refused: who is not suggested."""
    by_ref: dict[str, list[Evidence]] = defaultdict(list)
    for each in evidence:
        if each.to_ref and each.to_ref not in refused:
            by_ref[each.to_ref].append(each)
    scored = sorted(((_together(found), ref) for ref, found in by_ref.items()), key=lambda each: (-each[0], each[1]))
    if not scored or scored[0][0] < SPOKEN:
        return None
    (best, ref), second = scored[0], scored[1][0] if len(scored) > 1 else 0.0
    if best - second < LEAD:
        return None
    return Suggested(ref, round(best, 3), tuple(sorted(by_ref[ref], key=lambda each: -each.worth)))


def _together(found: Sequence[Evidence]) -> float:
    doubt = 1.0
    for each in found:
        doubt *= 1.0 - each.worth
    return 1.0 - doubt


def shared(
    kind: str, voices: Mapping[str, float], sentence: Callable[[str, float], str], *, loud: float = 1.0
) -> list[Evidence]:
    """Evidence of several voices: each is worth its share. loud: 0..1, how much is to be heard at all.

    The voice of nobody (reference "") takes its share and suggests nothing.
    """
    total = sum(voices.values())
    return [
        Evidence(kind, ref, WORTH[kind] * loud * voice / total, sentence(ref, voice / total))
        for ref, voice in voices.items()
        if ref and total
    ]


# --- histories ---


@dataclass(frozen=True)
class TouchedFiles:
    """A commit: whose, when, and which files it touched."""

    mail: str
    at: datetime
    paths: tuple[str, ...]


@dataclass(frozen=True)
class GitHistory:
    """A repository: its files, its newest commits, and its CODEOWNERS."""

    files: Sequence[str] = ()
    changes: Sequence[TouchedFiles] = ()
    code_owners: CodeOwners | None = None


@dataclass(frozen=True)
class Thing:
    """Something that lies in a folder of a repository ("" for all of it). owner: "" where it is to be found out."""

    key: str
    repository: str
    folder: str
    owner: str = ""


def work_on(things: Sequence[Thing], histories: Mapping[str, GitHistory]) -> Worked:
    """By thing, mail -> how much of its recent work is theirs. A commit over many things says little."""
    found: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    by_repository: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for thing in things:
        by_repository[thing.repository][thing.folder].append(thing.key)
    for name, folders in by_repository.items():
        history = histories.get(name)
        if history is None or not history.changes:
            continue
        newest = max(change.at for change in history.changes)
        for change in history.changes:
            touched = {at for path in change.paths if (at := folder_of(path, folders)) is not None}
            age = (newest - change.at).total_seconds() / 86400
            weight = 0.5 ** (age / HALF_LIFE) / max(len(touched), 1)
            for at in touched if not is_machine(change.mail) else ():
                for key in folders[at]:
                    found[key][change.mail.lower()] += weight
    return found


def folder_of(path: str, folders: Collection[str]) -> str | None:
    """The deepest of these folders in which a file lies."""
    at = path.rpartition("/")[0]
    while at:
        if at in folders:
            return at
        at = at.rpartition("/")[0]
    return "" if "" in folders else None


def is_machine(mail: str) -> bool:
    """Whether no person writes under this address."""
    name = mail.lower()
    return "[bot]" in name or name.startswith(("bot@", "dependabot", "renovate", "github-actions", "action@github"))


@dataclass
class Belonging:
    """Which teams a committer speaks for: those that they are in, else those on whose things they worked."""

    members: Mapping[str, Sequence[str]]
    learned: Mapping[str, Mapping[str, float]]

    def of(self, mail: str) -> Mapping[str, float]:
        """Reference -> share; what is missing to 1 speaks for nobody."""
        teams = self.members.get(mail)
        if teams:
            return dict.fromkeys(teams, 1 / len(teams))
        return self.learned.get(mail, {})


def belonging(things: Sequence[Thing], work: Worked, members: Mapping[str, Sequence[str]]) -> Belonging:
    """Learned from the things that have an owner; half of the work on those that have none speaks for nobody."""
    learned: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for thing in things:
        for mail, weight in work.get(thing.key, {}).items():
            learned[mail][thing.owner] += weight if thing.owner else weight / 2
    told = {}
    for mail, voices in learned.items():
        total = sum(voices.values())
        heard = min(1.0, total / LEARNED_FROM)
        told[mail] = {ref: heard * voice / total for ref, voice in voices.items() if ref}
    return Belonging(members, told)


def by_commits(thing: Thing, work: Worked, belongs: Belonging) -> list[Evidence]:
    """Who has worked on it lately, as the teams that they belong to."""
    mails = work.get(thing.key)
    if not mails:
        return []
    voices = defaultdict[str, float](float)
    people: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for mail, weight in mails.items():
        shares = belongs.of(mail)
        for ref, share in shares.items():
            voices[ref] += weight * share
            people[ref][mail] += weight * share
        voices[""] += weight * max(0.0, 1 - sum(shares.values()))
    loud = min(1.0, sum(mails.values()) / FULL_VOICE)

    def sentence(ref: str, share: float) -> str:
        names = ", ".join(
            mail.partition("@")[0] for mail in sorted(people[ref], key=lambda mail: -people[ref][mail])[:FEW]
        )
        return f"{share:.0%} of the recent work on it is theirs ({names})."

    return shared(COMMITS, voices, sentence, loud=loud)


@dataclass(frozen=True)
class NamedInFile:
    """Whom CODEOWNERS names for most files of a thing, and for how many of how many."""

    owners: tuple[str, ...]
    files: int
    of: int


def named_in_file(history: GitHistory, folder: str, folders: Collection[str]) -> NamedInFile | None:
    """None where the repository has no such file, or the thing none that it knows."""
    if history.code_owners is None:
        return None
    mine = [path for path in history.files if folder_of(path, folders) == folder][:MOST_FILES]
    named = Counter(history.code_owners.of(path) for path in mine)
    if not named:
        return None
    owners, files = named.most_common(1)[0]
    return NamedInFile(owners, files, len(mine))


def names_learned(things: Sequence[Thing], named: Mapping[str, NamedInFile]) -> dict[str, str]:
    """Name in CODEOWNERS -> the team that owns nearly everything for which it alone is named: teams are called
    otherwise at their git host."""
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for thing in things:
        told = named.get(thing.key)
        if thing.owner and told is not None and len(told.owners) == 1:
            seen[told.owners[0]][thing.owner] += 1
    found = {}
    for name, owners in seen.items():
        [(ref, count)] = owners.most_common(1)
        if count >= 2 and count / owners.total() >= SURE:
            found[name] = ref
    return found


def by_code_owners(told: NamedInFile | None, resolve: Callable[[str], Sequence[str]]) -> list[Evidence]:
    """Who is named for most of its files. resolve: a name of the file -> the teams that it means here."""
    if told is None:
        return []
    voices, said = defaultdict[str, float](float), defaultdict[str, list[str]](list)
    for owner in told.owners:
        refs = resolve(owner)
        # A person stands for their teams, and that is worth half of a team's own name.
        for ref in refs or [""]:
            voices[ref] += (1 if "/" in owner or not refs else 0.5) / max(len(refs), 1)
            said[ref].append(owner)
    return shared(
        CODEOWNERS, voices, lambda ref, _: f"CODEOWNERS names {', '.join(said[ref])} for {told.files:,} of its files.",
        loud=told.files / told.of,
    )  # fmt: skip


def by_neighbours(place: str, owners: Mapping[str, int]) -> list[Evidence]:
    """Who owns what else is part of the same system. owners: reference -> how many; two at least say anything."""
    total = sum(owners.values())
    return shared(
        NEIGHBOURS, owners, lambda ref, share: f"{owners[ref]} of {total} others in {place} are theirs.",
        loud=min(1.0, (total - 1) / 2) if total else 0,
    )  # fmt: skip


def by_launch(teams: Sequence[str], who: str) -> list[Evidence]:
    """The teams of whoever launched the run that made it."""
    return shared(LAUNCHED, dict.fromkeys(teams, 1.0), lambda ref, _: f"{who}, who is in it, launched it.")


def by_namespace(teams: Mapping[str, Sequence[str]]) -> list[Evidence]:
    """The teams that its namespaces are labelled with: reference -> namespaces."""
    voices = {ref: float(len(names)) for ref, names in teams.items()}
    return shared(NAMESPACE, voices, lambda ref, _: f"It runs in {', '.join(teams[ref][:FEW])}, labelled as theirs.")
