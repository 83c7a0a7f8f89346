"""What is asked of whoever hands something over."""

from __future__ import annotations

from datetime import date, datetime, time

from django import forms
from django.utils import timezone

from catalog.handing.offering import Terms


class TermsForm(forms.Form):
    """From when on, and whether who gets it is asked."""

    on = forms.DateField(
        label="From", required=False, widget=forms.DateInput(attrs={"type": "date"}),
        help_text="Empty: at once, or as soon as it is accepted.",
    )  # fmt: skip
    asks = forms.BooleanField(
        label="Ask them first", required=False,
        help_text="What you may not hand over by yourself is always offered: they accept or decline.",
    )  # fmt: skip

    def terms(self) -> Terms:
        """When it counts and whether they are asked; call it when the form was looked at."""
        return Terms(due_on(self.cleaned_data.get("on")), bool(self.cleaned_data.get("asks")))


class HandOverForm(TermsForm):
    """To whom, why, and on which terms."""

    field_order = ("holder", "why", "on", "asks")
    holder = forms.CharField(
        label="To", max_length=400, help_text="A team, a name or an e-mail address.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "list": "holders"}),
    )  # fmt: skip
    why = forms.CharField(label="Why", max_length=1000, required=False)


def due_on(day: date | None) -> datetime | None:
    """The beginning of a day where the person who asks lives; none for today and before."""
    if day is None or day <= timezone.localdate():
        return None
    return timezone.make_aware(datetime.combine(day, time.min))
