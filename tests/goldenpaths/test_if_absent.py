"""A manifest that is wanted only if absent leaves what stands there exactly as it is."""

from types import SimpleNamespace
from typing import Any

from portal.provisioning.acting.manifests import Placed
from portal.provisioning.steps import kubernetes_apply

NAMESPACE = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": "shop", "annotations": {"slipway.io/if-absent": "true"}},
}


class Applied(list[Any]):
    """A cluster that notes what is applied to it."""

    def apply(self, manifest: dict[str, Any]) -> dict[str, Any]:
        self.append(manifest)
        return {**manifest, "metadata": {**manifest["metadata"], "uid": "new"}}


def apply(before: dict[str, Any] | None) -> tuple[Applied, dict[str, Any], list[str]]:
    kube, said, confirmed = Applied(), [], []
    ctx: Any = SimpleNamespace(check=lambda: None, log=said.append, run_id=7, failpoint=lambda name: None)
    intent: Any = SimpleNamespace(
        before=before,
        reference={"cluster": "c", "name": "shop"},
        confirm=lambda outcome, made: confirmed.append(outcome),
    )
    made = kubernetes_apply._apply(ctx, kube, Placed(NAMESPACE, "deploy/namespace.yaml"), intent, "x")  # type: ignore[arg-type]
    assert len(confirmed) == 1
    return kube, made, [*confirmed, *said]


def test_an_existing_namespace_is_not_touched() -> None:
    kube, made, said = apply({"uid": "old", "resourceVersion": "1"})
    assert list(kube) == []
    assert made == {"name": "shop", "uid": "old"}
    assert said == ["unchanged", "Namespace shop: there already, left as it is."]


def test_an_absent_namespace_is_made() -> None:
    kube, made, said = apply(None)
    assert [one["metadata"]["name"] for one in kube] == ["shop"]
    assert made["uid"] == "new"
    assert said == ["created", "Namespace shop: created."]
