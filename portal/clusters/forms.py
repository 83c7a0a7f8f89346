"""The forms that connect a cluster, replace its credential, and say where runs may write."""

from __future__ import annotations

from django import forms
from django.core.files.uploadedfile import UploadedFile

from portal.clusters.kubeconfig import MAX_BYTES


class CredentialForm(forms.Form):
    """A kubeconfig, pasted or uploaded."""

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


class ClusterForm(CredentialForm):
    """A kubeconfig with a name for the cluster."""

    field_order = ("name", "kubeconfig", "file", "context")
    name = forms.CharField(max_length=120, help_text="How people here call it, such as “Production Frankfurt”.")


class NamespacesForm(forms.Form):
    """Which namespaces runs may write to."""

    namespaces = forms.CharField(
        required=False,
        label="Open namespaces",
        widget=forms.Textarea(attrs={"rows": 5, "spellcheck": "false", "class": "font-monospace"}),
        help_text="One pattern a line. {team} is the team that will own what a run makes, {entity} its entity, * any"
        " letters. Nothing here closes everything; default and kube-* stay closed whatever stands here.",
    )


class KindForm(forms.Form):
    """A kind that one golden path may write beyond that."""

    path = forms.CharField(max_length=200, label="Golden path", help_text="Its name, as in its address.")
    kind = forms.CharField(
        max_length=260, help_text="As kubectl names it, such as ClusterRole.rbac.authorization.k8s.io or ConfigMap."
    )
    namespace = forms.CharField(
        required=False, max_length=63, help_text="Such as kube-system. Empty for a kind that lies in no namespace."
    )
