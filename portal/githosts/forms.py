"""Forms of a repository's access page."""

from __future__ import annotations

from typing import Any

from django import forms

from portal.accounts.models import Membership, Organisation, Team, User
from portal.accounts.teams import standing
from portal.githosts.models import Repository


class OwnerForm(forms.Form):
    """The team that a repository is handed over to."""

    team = forms.ModelChoiceField(Team.objects.none(), label="Team", empty_label="Choose…")

    def __init__(self, *args: Any, organisation: Organisation, repository: Repository, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        teams = standing(organisation)
        self.fields["team"].queryset = teams  # type: ignore[attr-defined]
        self.initial.setdefault("team", teams.filter(ref=repository.owner_ref).first())


class GrantForm(forms.Form):
    """A team or a person that may push as well."""

    team = forms.ModelChoiceField(Team.objects.none(), label="Team", required=False, empty_label="Choose…")
    person = forms.ModelChoiceField(User.objects.none(), label="or person", required=False, empty_label="Choose…")

    def __init__(self, *args: Any, organisation: Organisation, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["team"].queryset = standing(organisation)  # type: ignore[attr-defined]
        members = Membership.objects.for_tenant(organisation).values("user_id")
        self.fields["person"].queryset = User.objects.filter(  # type: ignore[attr-defined]
            pk__in=members, is_active=True
        ).order_by("name", "email")

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if not self.errors and bool(found.get("team")) == bool(found.get("person")):
            raise forms.ValidationError("Choose one team or one person.")
        return found


SECRET = {"autocomplete": "off", "spellcheck": "false"}


class HostCredentialForm(forms.Form):
    """A user name and a token of an account at a git host."""

    username = forms.CharField(
        required=False, max_length=200, label="User name", help_text="Many hosts take any name beside a token."
    )
    secret = forms.CharField(
        max_length=4000,
        label="Token",
        widget=forms.PasswordInput(attrs=SECRET),
        help_text="With read rights to the repositories wanted here and no more. It is sealed and cannot be read back.",
    )


class ConnectionForm(HostCredentialForm):
    """A git host's address with an account there."""

    base_url = forms.CharField(
        max_length=300,
        label="Address",
        help_text="Everything below it is fetched with this account, such as https://git.example.com/shop.",
    )
    probe_url = forms.CharField(
        max_length=500, label="Repository to try", help_text="A repository below the address that the account can read."
    )
    field_order = ("base_url", "username", "secret", "probe_url")
