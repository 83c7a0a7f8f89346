"""publish:slipway: the workspace as the first commit of a repository on the built-in git host."""

from typing import Any

from portal.githosts.hosts import HOSTS
from portal.githosts.protocol import Author, Repo
from portal.goldenpaths.files import File, safe_folder, within
from portal.goldenpaths.vocabulary import repository_name
from portal.kit.errors import Conflict, Invalid
from portal.provisioning.context import LeftBehind, StepContext, Target, UndoContext, Undone
from portal.provisioning.models import Effect
from portal.provisioning.outcomes import Done

KIND = "repository"
HOST = "slipway"


def run(ctx: StepContext, given: dict[str, Any]) -> Done:
    """Create or adopt the repository, then push one commit whose id depends on nothing but the run and its files."""
    name = repository_name(given)
    files = within(ctx.workspace, safe_folder(given.get("sourcePath")))
    if not files:
        raise Invalid(
            "There is nothing to publish: the workspace is empty. A fetch step has to come before.",
            code="nothing-to-publish",
        )
    host = HOSTS[HOST]
    existing = host.find_repository(ctx.organisation, name)
    before = {"name": name} if existing else None
    [intent] = ctx.intend(KIND, [Target(name, f"Repository {name}", before, {"host": HOST, "name": name})])
    repo = host.create_repository(
        ctx.organisation,
        name=name,
        description=str(given.get("description") or ""),
        owner_ref=str(given.get("owner") or ctx.owner_ref),
        marker=ctx.marker,
        actor=ctx.actor,
        created_by_run=ctx.run_id,
        default_branch=str(given.get("defaultBranch") or "main"),
    )
    ctx.failpoint("between-effects")
    ctx.check()
    commit = host.push_tree(
        repo, files, message=_message(ctx, given, name), author=_author(ctx), when=ctx.run_created_at
    )
    ctx.failpoint("after-effect")
    intent.confirm("adopted" if intent.before else "created", {**intent.reference, "commit": commit})
    ctx.log(f"Repository {name} holds {_count(files)} at {commit[:8]}.")
    return Done(
        {
            "remoteUrl": host.clone_url(repo),
            "repoContentsUrl": host.web_url(repo),
            "commitHash": commit,
            "repo": repo.name,
        }
    )


def _count(files: dict[str, File]) -> str:
    return f"{len(files)} {'file' if len(files) == 1 else 'files'}"


def _message(ctx: StepContext, given: dict[str, Any], name: str) -> str:
    subject = str(given.get("gitCommitMessage") or f"Create {name} from {ctx.run_title}")
    return f"{subject}\n\nSlipway-Run: {ctx.run_id}\n"


def _author(ctx: StepContext) -> Author:
    person = ctx.actor.person
    return Author(str(person), person.email) if person else Author("Slipway", "slipway@localhost")


def undo(ctx: UndoContext, effect: Effect) -> Undone | LeftBehind:
    """Delete the repository unless somebody else works in it by now."""
    name = effect.reference["name"]
    if effect.before is not None:
        return LeftBehind(f"Repository {name} was there before this run; it stays.")
    host = HOSTS[HOST]
    repo = host.find_repository(ctx.organisation, name)
    if repo is None:
        return Undone(f"Repository {name} is gone already.")
    return _delete(ctx, effect, repo)


def _delete(ctx: UndoContext, effect: Effect, repo: Repo) -> Undone | LeftBehind:
    host = HOSTS[HOST]
    commit = str(effect.reference.get("commit") or "")
    try:
        host.delete_repository(repo, actor=ctx.actor, expected_head=commit)
    except Conflict:
        if not commit:
            return LeftBehind(f"Repository {repo.name} holds commits, and the run did not live to say whose; it stays.")
        return LeftBehind(f"Repository {repo.name} has commits by others since the run; it stays.")
    return Undone(f"Deleted repository {repo.name}.")
