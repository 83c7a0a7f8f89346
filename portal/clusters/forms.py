"""The form that connects a cluster."""

from __future__ import annotations

from django import forms
from django.core.files.uploadedfile import UploadedFile

from portal.clusters.kubeconfig import MAX_BYTES


class ClusterForm(forms.Form):
    """A name and a kubeconfig, pasted or uploaded."""

    name = forms.CharField(max_length=120, help_text="How people here call it, such as “Production Frankfurt”.")
    kubeconfig = forms.CharField(
        required=False,
        widget=forms.Textarea(
            attrs={"rows": 12, "spellcheck": "false", "autocomplete": "off", "class": "font-monospace"}
        ),
        help_text="Paste it here, or upload the file below. Only the address, the certificate authority and one"
        " credential are taken from it; the credential is sealed and cannot be read back.",
    )
    file = forms.FileField(required=False, label="Kubeconfig file")
    context = forms.CharField(
        required=False, max_length=200, help_text="Which context of the kubeconfig. Empty means its current one."
    )

    def clean(self) -> dict[str, object]:
        """One kubeconfig, from either field."""
        values = super().clean() or {}
        upload = values.get("file")
        if isinstance(upload, UploadedFile):
            if (upload.size or 0) > MAX_BYTES:
                self.add_error("file", "A kubeconfig is at most 256 KiB.")
            else:
                try:
                    values["kubeconfig"] = upload.read().decode()
                except UnicodeDecodeError:
                    self.add_error("file", "This file is not text.")
        if not values.get("kubeconfig") and not self.errors:
            self.add_error("kubeconfig", "Paste a kubeconfig, or upload one.")
        return values
