"""What people fill in about themselves, their organisation, its people and teams."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.utils.functional import lazy
from django.utils.text import slugify

from portal.accounts.models import RESERVED_SLUGS, SLUG, Membership, Organisation, Team, User
from portal.accounts.permissions import ROLES, SCOPES

ROLE_WORDS = {
    "viewer": "Viewer: sees everything, changes nothing",
    "developer": "Developer: launches golden paths, pushes code, registers services",
    "manager": "Manager: looks after teams and everything they own",
    "admin": "Admin: people, clusters, golden paths and settings",
}
LIFETIMES = [(7, "7 days"), (30, "30 days"), (90, "90 days"), (366, "A year")]


def _zones() -> list[tuple[str, str]]:
    names = sorted(name for name in available_timezones() if "/" in name and not name.startswith(("Etc/", "posix")))
    return [("", "As the browser"), ("UTC", "UTC"), *((name, name.replace("_", " ")) for name in names)]


class Form(forms.Form):
    """A form whose errors are read with their field by screen readers, and that has no trailing colons."""

    use_required_attribute = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)


class ProfileForm(Form):
    """A person's name and time zone."""

    name = forms.CharField(max_length=120, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    timezone = forms.ChoiceField(choices=lazy(_zones, list), required=False, label="Time zone")


class SignupForm(forms.Form):
    """What sign-up asks besides e-mail address and password; allauth puts it in front of its own fields."""

    name = forms.CharField(
        max_length=120, label="Your name", widget=forms.TextInput(attrs={"autocomplete": "name", "autofocus": True})
    )

    def signup(self, request: Any, user: User) -> None:
        """allauth calls this with the user that it made."""
        user.name = self.cleaned_data["name"].strip()
        user.save(update_fields=["name"])


class OrganisationForm(Form):
    """A new organisation."""

    name = forms.CharField(max_length=120, widget=forms.TextInput(attrs={"autocomplete": "organization"}))
    slug = forms.CharField(
        max_length=40,
        required=False,
        label="Address",
        validators=[SLUG],
        help_text="Stands in every address and cannot be changed later. Empty: made from the name.",
    )

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        for name in ("chat", "on_call", "runbook"):
            if data.get(name) and not data[name].lower().startswith(("https://", "http://")):
                self.add_error(name, "Write a web address, beginning with https://.")
        if "slug" in self.errors or not data.get("name"):
            return data
        data["slug"] = data.get("slug") or slugify(data["name"])[:40].strip("-")
        if not data["slug"]:
            self.add_error("slug", "Give an address: the name has no letters that could make one.")
        elif data["slug"] in RESERVED_SLUGS:
            self.add_error("slug", f"“{data['slug']}” is a word the portal needs for itself. Choose another.")
        elif Organisation.objects.filter(slug=data["slug"]).exists():
            self.add_error("slug", f"The address “{data['slug']}” is taken. Choose another.")
        return data


class RenameForm(Form):
    """An organisation's display name."""

    name = forms.CharField(max_length=120)


class RoleForm(Form):
    """A role."""

    role = forms.ChoiceField(choices=[(role, role.capitalize()) for role in ROLES])


class InviteForm(Form):
    """Somebody to invite."""

    email = forms.EmailField(label="E-mail address", widget=forms.EmailInput(attrs={"autocomplete": "off"}))
    role = forms.ChoiceField(choices=[(role, ROLE_WORDS[role]) for role in ROLES], initial="developer")


class TokenForm(Form):
    """A new API token."""

    name = forms.CharField(max_length=80, help_text="What uses it, such as “laptop” or “CI of checkout”.", label="Name")
    scopes = forms.MultipleChoiceField(
        choices=[(scope, f"{words} ({scope})") for scope, words in SCOPES.items()],
        widget=forms.CheckboxSelectMultiple(attrs={"class": "form-check-input"}),
        label="It may",
    )
    days = forms.TypedChoiceField(choices=LIFETIMES, coerce=int, initial=30, label="Expires after")


class TeamForm(Form):
    """A team. `slug` is asked for only when the team is made."""

    name = forms.CharField(max_length=120)
    slug = forms.CharField(
        max_length=63,
        required=False,
        label="Catalog name",
        validators=[SLUG],
        help_text="Descriptors name the team by it and it cannot be changed later. Empty: made from the name.",
    )
    parent = forms.ModelChoiceField(
        queryset=Team.objects.none(), required=False, label="Part of", empty_label="No other team"
    )
    description = forms.CharField(max_length=300, required=False)
    mail = forms.EmailField(required=False, label="E-mail")
    chat = forms.CharField(max_length=300, required=False, help_text="A channel’s address.")
    on_call = forms.CharField(max_length=300, required=False, label="On call", help_text="Where somebody is called.")
    runbook = forms.CharField(max_length=300, required=False, help_text="What to do when something is down.")

    def __init__(self, *args: Any, organisation: Organisation, team: Team | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        others = Team.objects.for_tenant(organisation)
        if team is not None:
            del self.fields["slug"]
            others = others.exclude(pk=team.pk)
        self.fields["parent"].queryset = others  # type: ignore[attr-defined]  # ModelChoiceField's

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if "slug" in self.fields and "slug" not in self.errors and data.get("name"):
            data["slug"] = data.get("slug") or slugify(data["name"])[:63].strip("-")
            if not data["slug"]:
                self.add_error("slug", "Give a name for the catalog: this one has no letters that could make it.")
        return data


class TeamMemberForm(Form):
    """Somebody to put into a team."""

    person = forms.ModelChoiceField(queryset=User.objects.none(), label="Person", empty_label="Choose somebody")
    is_lead = forms.BooleanField(required=False, label="Leads the team")

    def __init__(self, *args: Any, organisation: Organisation, team: Team, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        here = Membership.objects.for_tenant(organisation).values("user")
        inside = team.memberships.values("user")
        people = User.objects.filter(pk__in=here).exclude(pk__in=inside).order_by("name", "email")
        self.fields["person"].queryset = people  # type: ignore[attr-defined]  # ModelChoiceField's


class AuditFilterForm(Form):
    """What the audit page narrows by; an unknown or broken value narrows by nothing and says so."""

    actor = forms.ModelChoiceField(queryset=User.objects.none(), required=False, empty_label="Anybody")
    verb = forms.CharField(max_length=60, required=False)
    subject = forms.CharField(max_length=100, required=False)
    since = forms.DateField(required=False, label="From", widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(required=False, label="To", widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, *args: Any, organisation: Organisation, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        here = Membership.objects.for_tenant(organisation).values("user")
        people = User.objects.filter(pk__in=here).order_by("name", "email")
        self.fields["actor"].queryset = people  # type: ignore[attr-defined]  # ModelChoiceField's
