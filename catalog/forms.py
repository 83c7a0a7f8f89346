"""The catalog's forms."""

from typing import Any

from django import forms

from catalog.actions import Draft
from catalog.intake.sources.upload import MAX_UPLOAD
from catalog.models import Source

KINDS = [
    (Source.Kind.GIT, "Git repository"),
    (Source.Kind.URL, "Single address"),
    (Source.Kind.UPLOAD, "Upload"),
    (Source.Kind.REPOSITORY, "Slipway repository"),
    (Source.Kind.FOLDER, "Folder on the server"),
]


class SourceForm(forms.Form):
    """Where descriptors come from."""

    kind = forms.ChoiceField(choices=KINDS, label="Kind", initial=Source.Kind.GIT)
    target = forms.CharField(
        label="Address",
        required=False,
        max_length=1000,
        help_text="https://… or git@… for a repository, https://… for a single file, a repository's name, or a folder.",
    )
    revision = forms.CharField(
        label="Branch or tag", required=False, max_length=200, help_text="Git only. Empty takes the default branch."
    )
    path = forms.CharField(
        label="File",
        required=False,
        max_length=500,
        help_text="Where to begin; catalog-info.yaml when empty. A pattern such as **/catalog-info.yaml finds many.",
    )
    upload = forms.FileField(
        label="File to upload",
        required=False,
        help_text="One YAML file, or a zip or tar archive, up to 4 MiB.",
        max_length=255,
        allow_empty_file=True,
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("kind") == Source.Kind.UPLOAD:
            file = values.get("upload")
            if not file and "upload" not in self.errors:
                self.add_error("upload", "Choose a file to upload.")
            elif file and file.size > MAX_UPLOAD:
                size = file.size / 2**20
                self.add_error("upload", f"{file.name} is {size:.1f} MiB; an upload may have at most 4 MiB. Split it.")
        elif not values.get("target", "").strip():
            self.add_error("target", "Say where the descriptors are.")
        return values

    def draft(self) -> Draft:
        """What the person asked for. Valid forms only."""
        values = self.cleaned_data
        file = values.get("upload") if values["kind"] == Source.Kind.UPLOAD else None
        return Draft(
            kind=values["kind"],
            target=file.name if file else values["target"],
            path=values["path"],
            revision=values["revision"] if values["kind"] in (Source.Kind.GIT, Source.Kind.REPOSITORY) else "",
            content=file.read() if file else b"",
        )


class EntityForm(forms.Form):
    """A descriptor written in the portal."""

    text = forms.CharField(
        label="Descriptor",
        strip=False,
        max_length=1024 * 1024,
        widget=forms.Textarea(attrs={"rows": 24, "class": "mono", "spellcheck": "false", "autocapitalize": "off"}),
        help_text="One entity in YAML, in Backstage's format.",
        error_messages={"required": "Write the descriptor."},
    )
