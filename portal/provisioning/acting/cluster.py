"""How the steps reach a cluster, and the name of the entity that they write on what they make."""

from collections.abc import Mapping

from portal.accounts.models import Organisation
from portal.accounts.tenancy import tenant
from portal.clusters.kube import Kube, connect
from portal.clusters.models import Cluster
from portal.goldenpaths.files import File
from portal.goldenpaths.vocabulary import TEXT, Schema
from portal.kit.errors import NotFound, Refusal
from portal.kit.refs import ref_of
from portal.kit.yamltext import load_all

# What kubernetes:apply answers and kubernetes:wait takes.
OBJECTS: Schema = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["apiVersion", "kind", "name"],
        "properties": dict.fromkeys(("apiVersion", "kind", "namespace", "name", "uid"), TEXT),
    },
}


def cluster_of(organisation: Organisation, slug: str) -> Cluster:
    """The organisation's cluster of that name. Raises NotFound."""
    with tenant(organisation):
        cluster: Cluster | None = Cluster.objects.for_tenant(organisation).filter(slug=slug).first()
    if cluster is None:
        raise NotFound(
            f"There is no cluster called “{slug}”. An admin connects clusters.", code="no-such-cluster", field="cluster"
        )
    return cluster


def connected(organisation: Organisation, slug: str) -> Kube:
    """A connection to the organisation's cluster of that name."""
    return connect(cluster_of(organisation, slug))


def entity_of(workspace: Mapping[str, File]) -> str:
    """The reference of the entity that the workspace's catalog-info.yaml describes; empty without one."""
    file = workspace.get("catalog-info.yaml")
    text = file.text() if file else None
    if not text:
        return ""
    try:
        documents = load_all(text, "catalog-info.yaml")
    except Refusal:
        return ""  # catalog:register says what is wrong with it, with the line
    for document in documents:
        data = document.data if isinstance(document.data, dict) else {}
        metadata = data.get("metadata")
        if data.get("kind") and isinstance(metadata, dict) and metadata.get("name"):
            return str(ref_of(data))
    return ""
