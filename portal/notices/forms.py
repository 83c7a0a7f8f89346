"""What people fill in about notices: hours, destinations, and the table of kinds and channels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import time
from typing import Any

from django import forms

from portal.accounts.forms import Form
from portal.accounts.models import Organisation, Team
from portal.accounts.teams import standing
from portal.notices.choosing import Chosen
from portal.notices.models import Rhythm
from portal.notices.registry import CHANNELS, KINDS, MODES, TEAM_MAIL, NoticeKind, in_sections
from portal.notices.states import DESTINATIONS

# A choice stands in a form as mode:<channel>:<kind>.
PREFIX = "mode"
HOURS = [(hour, f"{hour:02}:00") for hour in range(24)]


class HoursForm(Form):
    """When digests come and when nothing comes."""

    hour = forms.TypedChoiceField(
        choices=HOURS, coerce=int, label="Digests come at", help_text="Weekly ones on Monday. In your own time zone."
    )
    quiet_from = forms.TimeField(required=False, label="Nothing from", widget=forms.TimeInput({"type": "time"}))
    quiet_until = forms.TimeField(required=False, label="until", widget=forms.TimeInput({"type": "time"}))
    quiet_weekend = forms.BooleanField(required=False, label="Nothing on Saturday and Sunday")

    @classmethod
    def of(cls, row: Rhythm | None) -> HoursForm:
        """Filled in with what was chosen."""
        row = row or Rhythm()
        said = {"hour": row.hour, "quiet_weekend": row.quiet_weekend}
        return cls(initial={**said, "quiet_from": _clock(row.quiet_from), "quiet_until": _clock(row.quiet_until)})

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if not self.errors and (data.get("quiet_from") is None) != (data.get("quiet_until") is None):
            self.add_error("quiet_until", "Quiet hours have a beginning and an end.")
        return data

    @property
    def said(self) -> dict[str, Any]:
        """The fields of Rhythm."""
        data = self.cleaned_data
        return {
            "hour": data["hour"],
            "quiet_from": _minute(data["quiet_from"]),
            "quiet_until": _minute(data["quiet_until"]),
            "quiet_weekend": data["quiet_weekend"],
        }


def _clock(minute: int | None) -> time | None:
    return None if minute is None else time(minute // 60, minute % 60)


def _minute(clock: time | None) -> int | None:
    return None if clock is None else clock.hour * 60 + clock.minute


class DestinationForm(Form):
    """A destination's name, address, and what goes there."""

    name = forms.CharField(max_length=80, help_text="Such as #payments-alerts.")
    address = forms.CharField(
        max_length=2000,
        label="Address",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "inputmode": "url"}),
        help_text="The webhook’s address. It is a secret: it is sealed, and only its host is shown afterwards.",
    )
    team = forms.ModelChoiceField(
        Team.objects.none(),
        required=False,
        empty_label="Everything",
        label="What is about",
        help_text="A team’s is what concerns it and the teams below it.",
    )
    kinds = forms.MultipleChoiceField(
        required=False,
        widget=forms.CheckboxSelectMultiple(attrs={"class": "form-check-input"}),
        label="Which kinds",
        help_text="None chosen: all of them, later ones too.",
    )

    def __init__(self, *args: Any, organisation: Organisation, is_new: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["team"].queryset = standing(organisation)  # type: ignore[attr-defined]
        self.fields["kinds"].choices = [  # type: ignore[attr-defined]
            (kind.key, f"{section}: {kind.label}") for section, kinds in in_sections() for kind in kinds
        ]
        if is_new:
            self.fields["kind"] = forms.ChoiceField(choices=list(DESTINATIONS.items()), label="Kind")
            self.order_fields(["kind", "name", "address", "team", "kinds"])
        else:
            self.fields["address"].required = False
            self.fields["address"].help_text = "Empty: as it is. A new one switches the destination on again."


# ---- kinds × channels -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cell:
    """One choice: its field, its channel, what is chosen ("" for nothing), and the options as (mode, words)."""

    name: str
    channel: str
    chosen: str
    options: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class KindLine:
    """A kind with its choices; None where there is none."""

    kind: NoticeKind
    cells: Sequence[Cell | None]


def table(
    channels: Sequence[str],
    chosen: Mapping[tuple[str, str], str],
    otherwise: Callable[[str, str], Chosen],
) -> list[tuple[str, list[KindLine]]]:
    """(section, lines). `otherwise` says by kind and channel what holds where nothing is chosen."""
    return [
        (
            section,
            [KindLine(kind, [_cell(kind.key, channel, chosen, otherwise) for channel in channels]) for kind in kinds],
        )
        for section, kinds in in_sections()
    ]


def _cell(
    kind: str, channel: str, chosen: Mapping[tuple[str, str], str], otherwise: Callable[[str, str], Chosen]
) -> Cell | None:
    """None where the kind never goes that way: few are told to a team's address."""
    if channel == TEAM_MAIL and channel not in KINDS[kind].channels:
        return None
    held = otherwise(kind, channel)
    options = [("", f"{words_of(channel, held.mode)}{_by(held)}")]
    options += [(mode, words_of(channel, mode)) for mode in CHANNELS[channel][1]]
    return Cell(f"{PREFIX}:{channel}:{kind}", CHANNELS[channel][0], chosen.get((kind, channel), ""), options)


def words_of(channel: str, mode: str) -> str:
    """A mode as this channel calls it."""
    return {"now": "Yes", "off": "No"}[mode] if len(CHANNELS[channel][1]) == 2 else MODES[mode]


def _by(held: Chosen) -> str:
    said = {"": "as usual", "organisation": "as for everybody here"}
    said |= dict.fromkeys(("you", "team"), "as for every kind")
    return f", {said.get(held.by, f'as {held.by} says')}"


def wishes_in(posted: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """(kind, channel) -> mode of the choices that a form sent; what it did not send is not changed."""
    found = {}
    for name, value in posted.items():
        prefix, _, rest = name.partition(":")
        channel, _, kind = rest.partition(":")
        if prefix == PREFIX:
            found[kind, channel] = str(value)
    return found
