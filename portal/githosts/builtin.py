"""The built-in git host: bare repositories of our own, served over smart HTTP with portal credentials."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from portal.accounts import audit
from portal.accounts.actor import Actor
from portal.accounts.models import Organisation
from portal.accounts.tenancy import tenant
from portal.githosts import actions, bare, names, pushes, rights
from portal.githosts.models import Repository
from portal.githosts.protocol import Author, Repo, TreeEntry, TreeFile
from portal.kit.errors import Conflict, Invalid, NotFound

HOST = "slipway"


class BuiltinHost:
    """A GitHost whose repositories are rows of ours and folders below settings.GIT_ROOT."""

    def create_repository(
        self,
        organisation: Organisation,
        *,
        name: str,
        description: str,
        owner_ref: str,
        marker: str,
        actor: Actor,
        created_by_run: int | None = None,
        default_branch: str = "main",
    ) -> Repo:
        """The row is the truth: it is written first, and a folder without a row is a leftover that gives way."""
        check_name(name)
        with tenant(organisation):
            row, is_new = Repository.objects.for_tenant(organisation).get_or_create(
                name=name,
                organisation=organisation,
                defaults={
                    "description": description[:300],
                    "owner_ref": owner_ref.lower(),
                    "default_branch": default_branch,
                    "marker": marker,
                    "created_by_run": created_by_run,
                },
            )
            if row.marker != marker:
                raise Conflict(f"A repository named “{name}” exists already.", code="repository_exists", field="name")
            if is_new:
                _clear_leftover(row)
                audit.record(
                    organisation=organisation,
                    actor=actor,
                    verb="repository.created",
                    subject=row,
                    summary=f"Created the repository {name}",
                    data={"run": created_by_run} if created_by_run else {},
                )
                if actor.person is not None and rights.owning_team(row) is None:
                    # No team could push to it: whoever made it can, and can be asked.
                    actions.let_push(organisation=organisation, actor=actor, repository=row, person=actor.person)
            bare.create(row.path, marker=marker, branch=row.default_branch)
        return repo_of(organisation, row)

    def find_repository(self, organisation: Organisation, name: str) -> Repo | None:
        with tenant(organisation):
            row = Repository.objects.for_tenant(organisation).filter(name=name).first()
        return repo_of(organisation, row) if row else None

    def push_tree(
        self,
        repo: Repo,
        files: Mapping[str, TreeFile],
        *,
        message: str,
        author: Author,
        when: datetime,
        branch: str = "",
        parent: str = "",
    ) -> str:
        commit = bare.commit_tree(
            self._path(repo),
            files,
            message=message,
            author=author,
            when=when,
            branch=branch or repo.default_branch,
            parent=parent,
        )
        with tenant(repo.organisation_id):
            rows = Repository.objects.for_tenant(repo.organisation_id).filter(name=repo.name)
            rows.update(pushed_at=timezone.now())
            ref = f"refs/heads/{branch or repo.default_branch}"
            for row in rows.select_related("organisation"):
                pushes.tell(pushes.Push(row.organisation, row, (ref,), Actor.slipway()))
        return commit

    def change_file(
        self,
        repo: Repo,
        path: str,
        content: bytes,
        *,
        message: str,
        author: Author,
        when: datetime,
        branch: str,
        parent: str,
        actor: Actor,
    ) -> str:
        place = self._path(repo)
        ref = f"refs/heads/{branch}"
        before = bare.refs(place).get(ref)
        commit = bare.commit_file(
            place, path, content, message=message, author=author, when=when, branch=branch, parent=parent
        )
        with tenant(repo.organisation_id):
            organisation = Organisation.objects.get(pk=repo.organisation_id)
            row = Repository.objects.for_tenant(organisation).get(name=repo.name)
            pushes.note_push(
                organisation=organisation,
                actor=actor,
                repository=row,
                moved={ref: (before, commit)} if commit != before else {},
            )
        return commit

    def head(self, repo: Repo, branch: str = "") -> str | None:
        path = self._path(repo)
        return bare.resolve(path, branch or repo.default_branch)

    def read_file(self, repo: Repo, path: str, ref: str = "") -> bytes:
        return bare.content(self._path(repo), self._commit(repo, ref), path)

    def read_blobs(self, repo: Repo, ids: Sequence[str]) -> list[bytes]:
        return bare.blobs(self._path(repo), ids)

    def author_of(self, repo: Repo, commit: str, path: str = "") -> Author:
        place = self._path(repo)
        found = bare.history(place, commit, limit=1, inner=path) or bare.history(place, commit, limit=1)
        return found[0].author

    def list_tree(self, repo: Repo, ref: str = "") -> list[TreeEntry]:
        commit = self.head(repo, ref)
        if commit is None and ref:
            raise NotFound(f"{repo.name} has no “{ref}”.")
        return bare.tree(self._path(repo), commit) if commit else []

    def delete_repository(self, repo: Repo, *, actor: Actor, expected_head: str | None = None) -> None:
        with tenant(repo.organisation_id):
            row = Repository.objects.for_tenant(repo.organisation_id).select_for_update().filter(name=repo.name).first()
            if row is None:
                return
            path = row.path
            if expected_head is not None and bare.is_repository(path) and bare.tips(path) - {expected_head}:
                raise Conflict(f"{repo.name} holds commits that are not ours; it stays.", code="branch_moved")
            audit.record(
                organisation=repo.organisation_id,
                actor=actor,
                verb="repository.deleted",
                subject=row,
                summary=f"Deleted the repository {repo.name}",
            )
            row.delete()
            transaction.on_commit(lambda: bare.remove(path))

    def clone_url(self, repo: Repo) -> str:
        return f"{settings.PUBLIC_URL}{clone_path(repo.organisation_slug, repo.name)}"

    def web_url(self, repo: Repo) -> str:
        return f"{settings.PUBLIC_URL}{reverse('repo', kwargs={'org': repo.organisation_slug, 'repo': repo.name})}"

    def _path(self, repo: Repo) -> Path:
        path = names.repository_path(Path(settings.GIT_ROOT), repo.organisation_id, repo.name)
        if not bare.is_repository(path):
            raise NotFound(f"There is no repository named “{repo.name}”.")
        return path

    def _commit(self, repo: Repo, ref: str) -> str:
        commit = self.head(repo, ref)
        if commit is None:
            raise NotFound(f"{repo.name} has no “{ref or repo.default_branch}”.")
        return commit


def check_name(name: str) -> str:
    """The name, if a repository here can have it; raises Invalid."""
    if not names.NAME.match(name):
        raise Invalid("A repository’s name has up to 63 lower-case letters, digits and inner dashes.", field="name")
    return name


def clone_path(organisation_slug: str, name: str) -> str:
    """The address of a repository for git, without scheme and host."""
    return f"/o/{organisation_slug}/git/{name}.git"


def _clear_leftover(row: Repository) -> None:
    """Move away what a rolled-back creation left at the path of a row that is new.

    The unique constraint made us wait for any other transaction that was making this row, so what lies there has none.
    A folder that carries our own marker is adopted as it is.
    """
    path = row.path
    if path.exists() and bare.marker_of(path) != row.marker:
        bare.put_aside(path, "left")


def repo_of(organisation: Organisation, row: Repository) -> Repo:
    """The host's view of a row."""
    return Repo(HOST, organisation.pk, organisation.slug, row.name, row.default_branch)
