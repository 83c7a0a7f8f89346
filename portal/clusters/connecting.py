"""Connecting a cluster, and giving one a new credential, as jobs: a worker speaks to it, no request waits for that.

The credential travels sealed to the workers' key, bound to its address, and is gone from the job when that ends.
"""

from __future__ import annotations

import uuid
from typing import Any

from django.urls import reverse

from portal.accounts.actor import Actor
from portal.accounts.models import Organisation
from portal.accounts.tenancy import tenant
from portal.clusters import actions
from portal.clusters import kubeconfig as kubeconfigs
from portal.clusters.actions import secret_of
from portal.clusters.credentials import CredentialPlace, seal, unseal
from portal.clusters.kubeconfig import ClusterTarget
from portal.clusters.models import Cluster
from portal.jobs.actions import submit
from portal.jobs.models import Job
from portal.jobs.registry import JobDone, JobKind, register
from portal.jobs.work import Work
from portal.kit.errors import Conflict, Invalid, NotFound

CONNECT, REPLACE = "clusters.connect", "clusters.replace"


def ask_to_connect(
    *, organisation: Organisation, actor: Actor, name: str, kubeconfig: str, context: str | None, back_to: str
) -> Job:
    """Have a worker speak to a new cluster and keep it. Raises Invalid, Conflict or TooMany before that."""
    name, slug = actions.check_name(organisation, name)
    target = kubeconfigs.parse(kubeconfig, context)
    return _submit(
        organisation, actor, CONNECT, f"Connect {name}", target, key=slug, back_to=back_to,
        arguments={"name": name, "context": context or ""},
    )  # fmt: skip


def ask_to_replace(
    *, organisation: Organisation, actor: Actor, cluster: Cluster, kubeconfig: str, context: str | None, back_to: str
) -> Job:
    """Have a worker try a new credential; only if it works, it takes the old one's place.

    Raises Invalid when it is the one that the cluster has.
    """
    target = kubeconfigs.parse(kubeconfig, context)
    if actions.is_the_same(cluster, target):
        raise Invalid("This is the address and the credential that the cluster has already.", field="kubeconfig")
    return _submit(
        organisation, actor, REPLACE, f"Replace the credential of {cluster.name}", target, key=str(cluster.uid),
        back_to=back_to, arguments={"cluster": cluster.pk, "context": context or ""},
    )  # fmt: skip


def _submit(
    organisation: Organisation, actor: Actor, kind: str, title: str, target: ClusterTarget, *, key: str, back_to: str,
    arguments: dict[str, Any],
) -> Job:  # fmt: skip
    once = str(uuid.uuid4())
    sealed = seal(secret_of(target), CredentialPlace(organisation.pk, once, target.server, target.ca))
    where = {"server": target.server, "ca": target.ca, "tls_server_name": target.tls_server_name, "once": once}
    job = submit(
        organisation=organisation,
        actor=actor,
        kind=kind,
        title=title,
        arguments={**arguments, **where},
        payload=sealed.encode(),
        key=key,
        back_to=back_to,
    )
    if job.arguments.get("once") != once:
        raise Conflict("This is being tried already. Wait for its end.", field="kubeconfig")
    return job


def _target(work: Work) -> ClusterTarget:
    said = work.arguments
    place = CredentialPlace(work.organisation.pk, said["once"], said["server"], said["ca"])
    secret = unseal(work.payload.decode(), place)
    return ClusterTarget(
        server=said["server"],
        ca=said["ca"],
        tls_server_name=said["tls_server_name"],
        token=secret.get("token", ""),
        certificate=secret.get("certificate", ""),
        key=secret.get("key", ""),
    )


def _page(organisation: Organisation, slug: str) -> str:
    return reverse("cluster", kwargs={"org": organisation.slug, "cluster": slug})


def connect(work: Work) -> JobDone:
    """The job: speak to it, then keep it."""
    organisation = work.organisation
    if "slug" in work.notes:  # an earlier attempt kept it, and died before it could say so
        return JobDone("It is connected.", {"cluster": work.notes["slug"]}, _page(organisation, work.notes["slug"]))
    target, name = _target(work), work.arguments["name"]
    work.tell(f"Speaking to {target.server}")
    seen = actions.examined(name, target)
    with tenant(organisation):
        cluster = actions.add_examined(organisation=organisation, actor=work.actor, name=name, target=target, seen=seen)
        work.note(slug=cluster.slug)
    text = f"{cluster.name} is connected. Its workloads appear within seconds."
    return JobDone(text, {"cluster": cluster.slug}, _page(organisation, cluster.slug))


def replace(work: Work) -> JobDone:
    """The job: speak to it with the new credential, then let it take the old one's place."""
    organisation, target = work.organisation, _target(work)
    cluster = _cluster(work)
    text = f"{cluster.name} has its new credential."
    if "slug" in work.notes:
        return JobDone(text, {"cluster": cluster.slug}, _page(organisation, cluster.slug))
    work.tell(f"Speaking to {target.server}")
    seen = actions.examined(cluster.name, target)
    with tenant(organisation):
        rows = Cluster.objects.for_tenant(organisation).select_for_update()
        cluster = rows.get(pk=cluster.pk)
        actions.keep_examined(organisation=organisation, actor=work.actor, cluster=cluster, target=target, seen=seen)
        work.note(slug=cluster.slug)
    return JobDone(text, {"cluster": cluster.slug}, _page(organisation, cluster.slug))


def _cluster(work: Work) -> Cluster:
    with tenant(work.organisation):
        found = Cluster.objects.for_tenant(work.organisation).filter(pk=work.arguments["cluster"]).first()
    if found is None:
        raise NotFound("The cluster was forgotten meanwhile.")
    return found


def register_kinds() -> None:
    """Makes the jobs known; called when the app is ready."""
    register(JobKind(CONNECT, "Connect a cluster", connect))
    register(JobKind(REPLACE, "Replace a cluster's credential", replace))
