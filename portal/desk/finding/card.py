"""The card of an answer: what is known of the thing that was asked about, and what is not.

Nothing is guessed: every fact is read where its page reads it, and what nobody has said is named as such.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.urls import reverse

from catalog.asking.filters import All, In
from catalog.asking.query import entities_of
from catalog.asking.within import owned_within
from catalog.descriptors.contacts import contact_of
from catalog.descriptors.kinds import API_PROVIDED_BY, HAS_PART, KINDS
from catalog.impact import Affected, affected, edges_in
from catalog.index.ordering import Order
from catalog.index.rows import first
from catalog.models import Entity, How, Role
from catalog.naming import address, named, named_and_reached
from catalog.panels import with_standing
from catalog.searching import TEAM, as_found
from portal.accounts.access import Access
from portal.accounts.contact import LABELS, Contact
from portal.accounts.models import Team, TeamMembership
from portal.clusters import status
from portal.clusters.status import EntityStatus
from portal.desk.finding.questions import PlainQuestion, Wish
from portal.kit.refs import kind_of, name_of
from portal.kit.searching import Hit

MOST_NAMED, MOST_PEOPLE, MOST_SHOWN = 3, 8, 24
WORRY = ("Down", "Stuck", "Reduced", "Progressing", "Unknown", "Paused", "Idle", "Healthy")
BAD = frozenset({"Down", "Stuck", "Reduced"})


@dataclass(frozen=True)
class AnswerLine:
    """Something named on the card, with its health where it has one."""

    title: str
    url: str
    note: str = ""
    status: EntityStatus | None = None


@dataclass(frozen=True)
class RoleLine:
    """A role beside the owner's, who holds it, and how they are reached."""

    role: str
    label: str
    title: str
    url: str
    contact: Contact


@dataclass(frozen=True)
class Answer:
    """`headline`: the answer itself; the rest is what the card shows beside it. `gaps`: what nobody has said."""

    wish: Wish
    headline: str
    subject: Hit | None = None
    team: Hit | None = None
    leads: tuple[str, ...] = ()
    contact: Contact = field(default_factory=Contact)
    status: EntityStatus | None = None
    lines: tuple[AnswerLine, ...] = ()
    lines_title: str = ""
    tell: tuple[AnswerLine, ...] = ()
    more: int = 0
    gaps: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    others: tuple[Hit, ...] = ()
    roles: tuple[RoleLine, ...] = ()

    @property
    def key(self) -> str:
        """What it is about, for tests and marks."""
        return f"answer:{self.wish}:{self.subject.key if self.subject else ''}"


class AnswerMaker:
    """One answer in the making: what is known of the subject, read once."""

    def __init__(self, access: Access, question: PlainQuestion, subject: Hit) -> None:
        self.access, self.question, self.subject = access, question, subject
        self.organisation = access.organisation
        rows = with_standing(entities_of(self.organisation).filter(ref=subject.key).select_related("body"))
        self.entity: Entity | None = rows.first()
        self.is_team = subject.kind == TEAM
        owner = subject.key if self.is_team else subject.owner_ref
        teams = Team.objects.for_tenant(self.organisation).filter(ref=owner) if owner else ()
        self.team: Team | None = next(iter(teams), None)
        self.leads = self._leads()
        self.roles, self.holder = self._roles(owner)
        self.contact = self._contact()

    def answer(self) -> Answer:
        """The card for what was asked."""
        say = {
            "owner": self._owner, "lead": self._lead, "health": self._health, "impact": self._impact,
            "on-call": self._on_call, "chat": self._chat, "runbook": self._runbook, "members": self._members,
            "owned": self._owned,
        }  # fmt: skip
        return say[self.question.wish]()

    # ---- what is known -------------------------------------------------------------------------------------------

    @property
    def title(self) -> str:
        return self.subject.title

    @property
    def team_name(self) -> str:
        return self.team.name if self.team else ""

    def _told_apart(self) -> str:
        """Its title, with its kind where its team is called the same."""
        same = self.title.casefold() == self.team_name.casefold()
        return f"the {self.subject.kind.lower()} {self.title}" if same else self.title

    def _leads(self) -> tuple[str, ...]:
        if self.team is None or not self.access.can("people.view"):
            return ()
        rows = TeamMembership.objects.for_tenant(self.organisation).filter(team=self.team, is_lead=True)
        return tuple(str(row.user) for row in rows.select_related("user").order_by("user__name", "pk")[:MOST_PEOPLE])

    def _roles(self, owner: str) -> tuple[tuple[RoleLine, ...], tuple[str, Contact]]:
        """Who holds the other roles of the entity; and the owner, where that is a person: their name, their contact."""
        told = {}
        if self.entity is not None and not self.is_team:
            stands = self.entity.standing  # type: ignore[attr-defined]  # annotated by with_standing
            told = {each["role"]: each["holder_ref"] for each in stands if each["holder_ref"]}
            told.pop(Role.OWNER.value, None)
        persons = [owner] if owner and self.team is None else []
        names, reached = named_and_reached(self.organisation.pk, [*told.values(), *persons])
        found = tuple(
            RoleLine(
                role,
                str(Role(role).label),
                names[ref].title if ref in names else name_of(ref),
                (names[ref].url if ref in names else "") or address(self.organisation.slug, ref),
                reached.get(ref) or Contact(),
            )
            for role in Role.values
            if (ref := told.get(role))
        )
        called = self.team.name if self.team else names[owner].title if owner in names else name_of(owner)
        return found, (called, reached.get(owner) or Contact())

    def _contact(self) -> Contact:
        """What the thing itself says, such as its own runbook, before what its team says."""
        own = contact_of(self.entity.document) if self.entity else Contact()
        return own.before(self.team.contact if self.team else self.holder[1])

    def _status_of(self, row: Entity) -> EntityStatus | None:
        return status.of_entities(self.organisation.pk, [row.uid]).get(str(row.uid)) if row.has_workloads else None

    def _gaps(self) -> tuple[str, ...]:
        """What a card should say and nobody has said."""
        missing = [LABELS[name] for name in ("chat", "on_call", "runbook") if not getattr(self.contact, name)]
        if self.team is not None and not self.leads and self.access.can("people.view"):
            missing.insert(0, "Lead")
        return tuple(missing)

    def _made(self, headline: str, **more: object) -> Answer:
        known = self._status_of(self.entity) if self.entity is not None and "status" not in more else None
        shown: dict[str, object] = {"status": known, **more}
        return Answer(
            self.question.wish,
            headline,
            subject=self.subject,
            team=as_team(self.access, self.team) if self.team and not self.is_team else None,
            leads=self.leads,
            contact=self.contact,
            gaps=self._gaps(),
            roles=self.roles,
            **shown,  # type: ignore[arg-type]  # the fields of Answer, by their names
        )

    # ---- what is asked -------------------------------------------------------------------------------------------

    def _owner(self) -> Answer:
        if self.is_team:
            led = f" It is led by {listed(self.leads)}." if self.leads else ""
            return self._made(f"{self.title} is a team itself.{led}")
        if self.entity is not None and self.entity.owner_how == How.INHERITANCE:
            whose = f", who owns {name_of(self.entity.system_ref)}" if self.entity.system_ref else ""
            return self._made(f"Nobody is named for {self.title}. By fallback {self.holder[0]} answers{whose}.")
        if self.team is not None:
            return self._made(f"{self.team_name} owns {self._told_apart()}.")
        owner = self.subject.owner_ref
        if owner and kind_of(owner) != "group":
            return self._made(f"{self.holder[0]} owns {self.title}.")
        if owner:
            return self._made(f"On record {name_of(owner)} owns {self.title}; there is no such team here.")
        return self._made(f"Nobody owns {self.title}: nobody is named for it.")

    def _lead(self) -> Answer:
        if self.team is None:
            return self._made(f"{self.title} has no team here, so nobody leads it.")
        owns = "" if self.is_team else f", which owns {self.title}"
        if not self.leads:
            return self._made(f"Nobody is marked as the lead of {self.team_name}{owns}.")
        word = "leads" if len(self.leads) == 1 else "lead"
        return self._made(f"{listed(self.leads)} {word} {self.team_name}{owns}.")

    def _on_call(self) -> Answer:
        if held := next((each for each in self.roles if each.role == Role.ONCALL.value), None):
            way = held.contact.on_call or held.contact.phone or held.contact.chat or held.contact.mail
            return self._made(f"On call for {self.title}: {held.title}{f', {way}' if way else ''}")
        if not self.contact.on_call:
            if parts := self._parts_on_call():
                return self._made(
                    f"Nobody has written down who is on call for all of {self.title}; its parts say it.",
                    lines=parts,
                    lines_title="On call",
                )
            asks = f" {self.team_name} answers for it." if self.team and not self.is_team else ""
            return self._made(f"Nobody has written down who is on call for {self.title}.{asks}")
        rota = ("Who has the pager this minute, the rota knows: Slipway knows where it is.",)
        return self._made(f"On call for {self.title}: {self.contact.on_call}", notes=rota)

    def _parts_on_call(self) -> tuple[AnswerLine, ...]:
        """What the parts of it that run say for themselves."""
        if self.entity is not None and self.entity.has_workloads:
            return ()
        refs = [row.ref for row in self._parts()[0][:MOST_SHOWN]]
        rows = entities_of(self.organisation).filter(ref__in=refs).order_by("sort_name", "id").select_related("body")
        said = [(row, contact_of(row.document).on_call) for row in rows]
        slug = self.organisation.slug
        return tuple(AnswerLine(row.display_name, address(slug, row.ref), text) for row, text in said if text)

    def _chat(self) -> Answer:
        way = self.contact.chat or self.contact.mail or self.contact.on_call
        whom = self.team_name or self.title
        if not way:
            return self._made(f"Nobody has written down how to reach {whom}.")
        return self._made(f"Reach {whom}: {way}")

    def _runbook(self) -> Answer:
        if not self.contact.runbook:
            return self._made(f"No runbook of {self.title} is known.")
        return self._made(f"Runbook of {self.title}: {self.contact.runbook}")

    def _members(self) -> Answer:
        if self.team is None or not self.is_team:
            return self._owner()
        if not self.access.can("people.view"):
            return self._made(f"{self.title} is a team.")
        rows = TeamMembership.objects.for_tenant(self.organisation).filter(team=self.team)
        count = rows.count()
        people = rows.select_related("user").order_by("-is_lead", "user__name", "pk")[:MOST_SHOWN]
        lines = tuple(AnswerLine(str(row.user), "", "lead" if row.is_lead else "") for row in people)
        headline = (
            f"{counted(count, 'person is', 'people are')} in {self.title}."
            if count
            else f"Nobody has joined {self.title} yet."
        )
        return self._made(headline, lines=lines, lines_title="People", more=count - len(lines))

    def _owned(self) -> Answer:
        if not self.is_team:
            return self._owner()
        rows, count = first(
            self.organisation, owned_within(self.organisation, self.subject.key), MOST_SHOWN, order=Order("key", "kind")
        )
        found = as_found(self.organisation, rows)
        lines = tuple(AnswerLine(one.title, one.url, one.kind) for one in found)
        word = counted(count, "thing", "things")
        headline = f"{self.title} owns {word}." if count else f"{self.title} owns nothing in the catalog."
        return self._made(headline, lines=lines, lines_title="What it owns", more=count - len(lines))

    # ---- health --------------------------------------------------------------------------------------------------

    def _health(self) -> Answer:
        if self.entity is None or not self.entity.has_workloads:
            return self._health_of_parts()
        known = self._status_of(self.entity)
        if known is None:
            return self._made(f"Not known: nothing that runs in a cluster is bound to {self.title}.", status=None)
        return self._made(f"{self._verdict(known)}{known.sentence}", status=known)

    def _verdict(self, known: EntityStatus) -> str:
        """Yes or no, to what was asked."""
        if known.badge == "Unknown":
            return "Not known: "
        is_bad = known.badge in BAD
        if not self.question.expects:
            return f"{self.title} is {known.badge.lower()}. "
        return (
            f"{'Yes' if (self.question.expects == 'down') == is_bad else 'No'}: {self.title} is {known.badge.lower()}. "
        )

    def _health_of_parts(self) -> Answer:
        """What has no workloads is as well as what makes it up: the parts of a system, who provides an API, what a team
        owns."""
        rows, word = self._parts()
        known = status.of_entities(self.organisation.pk, [row.uid for row in rows])
        seen = [(row, known[str(row.uid)]) for row in rows if str(row.uid) in known]
        seen.sort(key=lambda pair: WORRY.index(pair[1].badge))
        lines = tuple(
            AnswerLine(row.display_name, address(self.organisation.slug, row.ref), state.sentence, state)
            for row, state in seen[:MOST_SHOWN]
        )
        if not seen:
            return self._made(f"Not known: nothing that runs in a cluster is bound to {self.title}.", status=None)
        bad = [row.display_name for row, state in seen if state.badge in BAD]
        if bad:
            start = {"down": "Partly", "up": "Not all of it"}.get(self.question.expects, "Not all is well")
            headline = (
                f"{start}: {listed(bad[:MOST_NAMED])} in trouble, of {counted(len(seen), *word)} of {self.title}."
            )
        elif any(state.badge == "Unknown" for _, state in seen):
            headline = f"Nothing of {self.title} is known to be in trouble, but not all of it can be seen now."
        else:
            start = {"down": "No", "up": "Yes"}.get(self.question.expects, "All is well")
            headline = f"{start}: {counted(len(seen), *word)} of {self.title}, none in trouble."
        return self._made(
            headline, status=None, lines=lines, lines_title=word[1].capitalize(), more=len(seen) - len(lines)
        )

    def _parts(self) -> tuple[list[Entity], tuple[str, str]]:
        running = [name for name, kind in KINDS.items() if kind.has_workloads]
        if self.is_team:
            kinds_ = In("kind", tuple(name.lower() for name in running))
            found, _ = first(self.organisation, All((owned_within(self.organisation, self.subject.key), kinds_)), 200)
            return found, ("workload", "workloads")
        rows = entities_of(self.organisation).filter(kind__in=running)
        kinds = {HAS_PART, API_PROVIDED_BY}
        refs = [target for _, _, target in edges_in(self.organisation)({self.subject.key}, kinds)]
        word = ("provider", "providers") if kind_of(self.subject.key) == "api" else ("part", "parts")
        return list(rows.filter(ref__in=refs)[:200]), word

    # ---- impact --------------------------------------------------------------------------------------------------

    def _impact(self) -> Answer:
        if self.is_team:
            return self._owned()
        found = affected(self.subject.key, edges_in(self.organisation))
        if not found.direct:
            return self._made(
                f"Nothing in the catalog says that it needs {self.title}.",
                notes=("Only what descriptors declare is known.",),
            )
        names = named(self.organisation.pk, [*found.direct, *found.further])
        titles = {ref: names[ref].title if ref in names else name_of(ref) for ref in (*found.direct, *found.further)}
        direct = [ref for ref in found.direct if kind_of(ref) != "api"] or list(found.direct)
        headline = _impact_words(self.title, found, [titles[ref] for ref in direct])
        shown = [*((ref, "directly") for ref in found.direct), *((ref, "through others") for ref in found.further)]
        lines = tuple(
            AnswerLine(titles[ref], address(self.organisation.slug, ref), f"{kind_of(ref)} · {how}")
            for ref, how in shown[:MOST_SHOWN]
        )
        more = len(shown) - len(lines)
        note = "There is more than was followed." if found.is_cut else "As far as descriptors declare it."
        tell = self._whom_to_tell([ref for ref, _ in shown])
        return self._made(headline, lines=lines, lines_title="Affected", more=more, tell=tell, notes=(note,))

    def _whom_to_tell(self, refs: Sequence[str]) -> tuple[AnswerLine, ...]:
        """The teams that own what is affected, those with the most first."""
        rows = entities_of(self.organisation).filter(ref__in=list(refs)).exclude(owner_ref="")
        tally: dict[str, int] = {}
        for owner in rows.values_list("owner_ref", flat=True):
            tally[owner] = tally.get(owner, 0) + 1
        owners = sorted(tally, key=lambda ref: (-tally[ref], ref))[:8]
        names = named(self.organisation.pk, owners)
        return tuple(
            AnswerLine(
                names[ref].title if ref in names else name_of(ref),
                (names[ref].url if ref in names else "") or address(self.organisation.slug, ref),
                str(tally[ref]),
            )
            for ref in owners
        )


def _impact_words(title: str, found: Affected, direct: Sequence[str]) -> str:
    count = len(found.direct) + len(found.further)
    some = f"{count}{'+' if found.is_cut else ''}"
    word = "thing needs" if count == 1 else "things need"
    rest = "" if len(direct) <= MOST_NAMED else f" and {len(direct) - MOST_NAMED} more"
    named_ones = ", ".join(direct[:MOST_NAMED]) if rest else listed(direct[:MOST_NAMED])
    return f"{some} {word} {title}: {named_ones}{rest} directly."


def as_team(access: Access, team: Team) -> Hit:
    """The team as the card links it."""
    url = reverse("team", kwargs={"org": access.organisation.slug, "team": team.slug})
    return Hit(team.ref, team.name, TEAM, url, (team.name,), icon="users-group")


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def counted(count: int, one: str, many: str) -> str:
    """`1 part`, `3 parts`."""
    return f"{count} {one if count == 1 else many}"
