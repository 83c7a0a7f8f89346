"""Answers to plain questions: what the question is about, found as search finds it, and its card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from catalog.asking.ranking import ALL_WORDS, NAME_NEARLY, QUALITY, Ranked, rank
from catalog.searching import TEAM, find_entities
from portal.accounts.access import Access
from portal.desk.finding.card import Answer, AnswerMaker
from portal.desk.finding.questions import PlainQuestion, Wish, shorter
from portal.desk.finding.typed import asked_for
from portal.kit.searching import MOST, Hit

# A subject is meant only where each of its words is in the name, small mistakes forgiven.
SURE = ALL_WORDS + QUALITY * NAME_NEARLY
# Asked about a thing, a team of the same name is the less likely one.
_RATHER_NOT_A_TEAM = 40.0
_OF_TEAMS: frozenset[Wish] = frozenset({"lead", "members", "owned", "on-call", "chat"})


def answer(access: Access, question: PlainQuestion) -> Answer | None:
    """The card, or None where the line is rather a name than a question."""
    if not access.can("catalog.view"):
        return None
    rows = _subjects(access, question)
    sure = [row for row in rows if not row.is_loose and row.score >= SURE]
    if not sure:
        return None if question.is_short else _nobody(question, rows)
    subject = sure[0].hit
    same = tuple(row.hit for row in sure[1:] if abs(row.score - sure[0].score) < 2 * _RATHER_NOT_A_TEAM)
    shown = AnswerMaker(access, question, subject).answer()
    return replace(shown, others=_namesakes(subject, same))


def _subjects(access: Access, question: PlainQuestion) -> list[Ranked]:
    """What may be meant, the best first; with a word that says the kind left out where nothing has them all."""
    ranked: list[Ranked] = []
    for words in (question.subject, *shorter(question.subject)):
        asked = asked_for(words)
        ranked = rank(asked, (_fitting(question, one) for one in find_entities(access, asked, MOST)))
        if ranked and not ranked[0].is_loose and ranked[0].score >= SURE:
            return ranked
    return ranked


def _fitting(question: PlainQuestion, found: Hit) -> Hit:
    is_team = found.kind == TEAM
    wants_team = question.wish in _OF_TEAMS
    return found if is_team == wants_team else replace(found, weight=found.weight - _RATHER_NOT_A_TEAM)


def _namesakes(subject: Hit, rows: Sequence[Hit]) -> tuple[Hit, ...]:
    mine = {name.lower() for name in subject.names}
    return tuple(one for one in rows if mine & {name.lower() for name in one.names})[:4]


def _nobody(question: PlainQuestion, rows: Sequence[Ranked]) -> Answer:
    near = tuple(row.hit for row in rows[:3])
    return Answer(question.wish, f"Nothing here is called “{question.subject[:60]}”.", others=near)
