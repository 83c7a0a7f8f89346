"""Teams and people as holders of roles: what they are called, how they are reached, and what people type for them.

A person is a described User, or a member of the organisation whom nobody describes: then `user:slipway/<number>`.
"""

from __future__ import annotations

from django.db.models import Q

from catalog.asking.query import entities_of
from catalog.descriptors.kinds import owner_ref
from catalog.owners.stating import checked_holder
from catalog.teams import users_by_mail
from portal.accounts.models import Membership, Organisation, Team, User
from portal.kit.errors import Invalid
from portal.kit.refs import kind_of, name_of, parse_ref, ref_to

# The namespace of members whom no file describes.
PORTAL = "slipway"
OFFERED = 12


def ref_of(user: User) -> str:
    """The reference of a member whom no file describes."""
    return ref_to("user", str(user.pk), PORTAL)


def member_number(ref: str) -> int | None:
    """The number of the person whom such a reference means; None for any other reference."""
    number = name_of(ref)
    if not number.isdecimal() or len(number) > 18 or ref != ref_to("user", number, PORTAL):
        return None
    return int(number)


def refs_of_person(organisation: Organisation, user: User) -> set[str]:
    """Everything that a person is called here: their number, and Users that files describe with their address."""
    described = users_by_mail(organisation, [user.email])
    return {ref_of(user), *(row.ref for row in described.values())}


def holder_named(organisation: Organisation, text: str) -> str:
    """The reference that a person means by what they typed: a team's or person's name, address or reference.

    "" for nothing. Raises Invalid (field "holder") for what nobody here is called, and for what several are.
    """
    said = " ".join(text.replace("\0", "").split())[:400]
    if not said:
        return ""
    if "@" in said:
        return _by_mail(organisation, said)
    if kind_of(said.lower()):
        return _known(organisation, checked_holder(said))
    return _by_name(organisation, said)


def _known(organisation: Organisation, ref: str) -> str:
    number = member_number(ref)
    if number is not None:
        is_there = Membership.objects.for_tenant(organisation).filter(user_id=number).exists()
    else:
        is_there = (
            Team.objects.for_tenant(organisation).filter(ref=ref).exists()
            or entities_of(organisation).filter(ref=ref).exists()
        )
    if not is_there:
        raise Invalid(f"There is no {parse_ref(ref).short} here.", field="holder")
    return ref


def _by_mail(organisation: Organisation, mail: str) -> str:
    described = users_by_mail(organisation, [mail])
    if described:
        return next(iter(described.values())).ref
    members = Membership.objects.for_tenant(organisation).filter(user__email__iexact=mail, user__is_active=True)
    member = members.select_related("user").first()
    if member is None:
        raise Invalid(f"Nobody here has the address {mail[:100]}.", field="holder")
    return ref_of(member.user)


def _by_name(organisation: Organisation, name: str) -> str:
    """A team's address, name or Group first, then a described person, then a member by their name."""
    dashed = "-".join(name.lower().split())
    group = owner_ref(dashed)
    teams = Team.objects.for_tenant(organisation).filter(Q(ref=group) | Q(slug=dashed) | Q(name__iexact=name))
    found = sorted(set(teams.values_list("ref", flat=True)[:20]), key=lambda ref: (ref != group, ref))
    if group in found or len(found) == 1:
        return found[0]
    refs = [group, ref_to("user", dashed)] if group else []
    described = sorted(entities_of(organisation).filter(ref__in=refs).values_list("ref", flat=True))
    if not found and described:
        return described[0]
    members = Membership.objects.for_tenant(organisation).filter(user__name__iexact=name, user__is_active=True)
    found += [] if found else [_of_member(organisation, member.user) for member in members.select_related("user")[:20]]
    if len(found) == 1:
        return found[0]
    if found:
        raise Invalid(f"Several here are called {name[:100]}: {', '.join(found[:5])}.", field="holder")
    raise Invalid(f"No team or person here is called {name[:100]}.", field="holder")


def _of_member(organisation: Organisation, user: User) -> str:
    described = users_by_mail(organisation, [user.email])
    return next(iter(described.values())).ref if described else ref_of(user)


def offered(organisation: Organisation, typed: str) -> list[tuple[str, str]]:
    """(what to write, what it is) of teams and members whose name begins so or has it: two statements."""
    start = " ".join(typed.replace("\0", "").split())[:100]
    teams = Team.objects.for_tenant(organisation).order_by("name")
    people = Membership.objects.for_tenant(organisation).filter(user__is_active=True).order_by("user__name")
    if start:
        teams = teams.filter(Q(name__icontains=start) | Q(slug__istartswith=start))
        people = people.filter(Q(user__name__icontains=start) | Q(user__email__istartswith=start))
    found = [(team.slug, team.name) for team in teams[:OFFERED]]
    return found + [(member.user.email, str(member.user)) for member in people.select_related("user")[:OFFERED]]
