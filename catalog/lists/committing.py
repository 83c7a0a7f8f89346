"""What a bulk change means for files of the built-in git host: one commit for each file, by whoever asked."""

from __future__ import annotations

from collections import defaultdict

from catalog.intake.sources.tree import text_of
from catalog.lists.bulk import act_of, entities_by_uid
from catalog.lists.changing import access_of
from catalog.lists.models import Bulk, BulkRow
from catalog.models import Source
from portal.accounts.tenancy import tenant
from portal.githosts.hosts import HOSTS
from portal.githosts.models import Repository
from portal.githosts.protocol import Author
from portal.githosts.rights import may_push
from portal.jobs.work import Work
from portal.kit.errors import Refusal

# (repository, branch or "" for the default, path)
File = tuple[str, str, str]
HOST = "slipway"


def commit_files(work: Work, bulk: Bulk) -> None:
    """Commits what the rows say has to be changed there, where the person may push; the push reads the sources again.

    A worker that was killed between a commit and its rows finds the texts changed already, and says so.
    """
    for (repository, branch, path), rows in _files(work, bulk).items():
        work.check()
        sentence, outcome = "", "elsewhere"
        try:
            commit = _commit(work, bulk, rows, repository, branch, path)
            sentence, outcome = f"Committed {commit[:8]} to {repository}; it is being read again.", "committed"
        except Refusal as refusal:
            sentence, outcome = refusal.text[:1000], "refused"
        with tenant(work.organisation):
            work.note()
            mine = BulkRow.objects.for_tenant(work.organisation).filter(pk__in=[row.pk for row in rows])
            mine.update(outcome=outcome, sentence=sentence)


def _files(work: Work, bulk: Bulk) -> dict[File, list[BulkRow]]:
    """The rows by file, of files of our own host that this person may push to; of the others the reason is kept."""
    found: dict[File, list[BulkRow]] = defaultdict(list)
    with tenant(work.organisation):
        access = access_of(work.organisation, work.actor)
        waiting = BulkRow.objects.for_tenant(work.organisation).filter(bulk=bulk, outcome="elsewhere").exclude(after="")
        rows = list(waiting.order_by("pk"))
        entities = entities_by_uid(access, [row.entity_uid for row in rows])
        allowed: dict[str, str | None] = {}
        for row in rows:
            source = entities[row.entity_uid].source if row.entity_uid in entities else None
            if source is None or source.kind != Source.Kind.REPOSITORY:
                continue
            if source.target not in allowed:
                repository = Repository.objects.for_tenant(work.organisation).filter(name=source.target).first()
                verdict = may_push(access, repository) if repository else None
                allowed[source.target] = None if verdict is None else ("" if verdict else verdict.sentence)
            if allowed[source.target] == "":
                found[source.target, source.revision, row.place].append(row)
            elif allowed[source.target]:
                BulkRow.objects.filter(pk=row.pk).update(sentence=f"{row.sentence} {allowed[source.target]}"[:1000])
    return found


def _commit(work: Work, bulk: Bulk, rows: list[BulkRow], name: str, revision: str, path: str) -> str:
    host = HOSTS[HOST]
    repo = host.find_repository(work.organisation, name)
    branch = revision or (repo.default_branch if repo else "")
    head = host.head(repo, branch) if repo else None
    if repo is None or head is None:
        raise Refusal(f"{name} has no branch that could be written.", status=409)
    text = text_of(host.read_file(repo, path, head), path)
    for row in rows:
        if text.count(row.before) != 1:
            raise Refusal(f"{path} has changed since it was read. Read it again, and try once more.", status=409)
        text = text.replace(row.before, row.after)
    person = work.actor.user
    act = act_of(bulk.act)
    return host.change_file(
        repo,
        path,
        text.encode(),
        message=f"{act.label} {bulk.value}: {', '.join(row.ref for row in rows[:5])}",
        author=Author(str(person), person.email),
        when=work.job.created_at,
        branch=branch,
        parent=head,
        actor=work.actor,
    )
