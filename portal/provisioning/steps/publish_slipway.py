"""publish:slipway: the workspace as the first commit of a repository on the built-in git host."""

from collections.abc import Mapping
from typing import Any

from portal.accounts.tenancy import tenant
from portal.githosts.builtin import check_name
from portal.githosts.hosts import HOSTS
from portal.githosts.protocol import Author, Repo
from portal.goldenpaths.files import File, Workspace, safe_folder, within
from portal.goldenpaths.language.filters import parse_repo_url
from portal.goldenpaths.language.values import DialectError
from portal.goldenpaths.vocabulary import TEXT, Example, shape
from portal.kit.errors import Conflict, Invalid
from portal.provisioning.acting.contract import Action, EffectTarget, LeftBehind, StepContext, UndoContext, Undone
from portal.provisioning.acting.outcomes import Done
from portal.provisioning.acting.pretence import LATER, Pretence, PreviewRepository
from portal.provisioning.models import Effect

KIND = "repository"
HOST = "slipway"


def repository_name(given: Mapping[str, Any]) -> str:
    """The repository that an input names, by `repo` or by `repoUrl` (slipway?repo=NAME)."""
    if given.get("repo"):
        return str(given["repo"])
    try:
        parts = parse_repo_url(given["repoUrl"])
    except DialectError as error:
        raise Invalid(str(error), code="bad-input", field="repoUrl") from None
    if parts["host"] != HOST:
        raise Invalid(
            f"“publish:slipway” creates repositories on the host “slipway”, not on “{parts['host']}”.", code="bad-input"
        )
    return str(parts["repo"])


def _files(workspace: Mapping[str, File], given: Mapping[str, Any]) -> Workspace:
    files = within(workspace, safe_folder(given.get("sourcePath")))
    if not files:
        raise Invalid(
            "There is nothing to publish: the workspace is empty. A fetch step has to come before.",
            code="nothing-to-publish",
        )
    return files


def run(ctx: StepContext, given: dict[str, Any]) -> Done:
    """Create or adopt the repository, then push one commit whose id depends on nothing but the run and its files."""
    name = repository_name(given)
    files = _files(ctx.workspace, given)
    host = HOSTS[HOST]
    _require_first(ctx, name)
    existing = host.find_repository(ctx.organisation, name)
    before = {"name": name} if existing else None
    [intent] = ctx.intend(KIND, [EffectTarget(name, f"Repository {name}", before, {"host": HOST, "name": name})])
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
    return Done(_output(repo, commit))


def _require_first(ctx: StepContext, name: str) -> None:
    """A run fills a repository once: another step, or iteration, of the same run may not do it again."""
    with tenant(ctx.organisation):
        others = Effect.objects.for_tenant(ctx.organisation).filter(run_id=ctx.run_id, kind=KIND, reference__name=name)
        if others.exclude(key__startswith=f"{ctx.run_id}/{ctx.step_key}/{ctx.iteration}/").exists():
            raise _taken(name)


def _taken(name: str) -> Conflict:
    return Conflict(f"A repository named “{name}” exists already.", code="repository_exists", field="repo")


def _output(repo: Repo, commit: str) -> dict[str, Any]:
    host = HOSTS[HOST]
    return {
        "remoteUrl": host.clone_url(repo),
        "repoContentsUrl": host.web_url(repo),
        "commitHash": commit,
        "repo": repo.name,
    }


def _count(files: dict[str, File]) -> str:
    return f"{len(files)} {'file' if len(files) == 1 else 'files'}"


def _message(ctx: StepContext, given: dict[str, Any], name: str) -> str:
    subject = str(given.get("gitCommitMessage") or f"Create {name} from {ctx.run_title}")
    return f"{subject}\n\nSlipway-Run: {ctx.run_id}\n"


def _author(ctx: StepContext) -> Author:
    person = ctx.actor.person
    return Author(str(person), person.email) if person else Author("Slipway", "slipway@localhost")


def pretend(world: Pretence, given: dict[str, Any]) -> dict[str, Any]:
    """The repository that would be made, under a name that is free, with the files of the workspace."""
    name = check_name(repository_name(given))
    files = _files(world.workspace, given)
    branch = str(given.get("defaultBranch") or "main")
    made = world.preview.repositories
    if HOSTS[HOST].find_repository(world.organisation, name) or name in {one.name for one in made}:
        raise _taken(name)
    made.append(PreviewRepository(name, branch, len(files)))
    return _output(Repo(HOST, world.organisation.pk, world.organisation.slug, name, branch), LATER)


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


ACTION = Action(
    id="publish:slipway",
    description="Creates a repository on the built-in git host and pushes the workspace to it.",
    input_schema=shape(
        repoUrl=TEXT,
        repo=TEXT,
        description=TEXT,
        defaultBranch=TEXT,
        sourcePath=TEXT,
        owner=TEXT,
        gitCommitMessage=TEXT,
    )
    | {"anyOf": [{"required": ["repoUrl"]}, {"required": ["repo"]}]},
    output_schema=shape(("remoteUrl", "repo"), remoteUrl=TEXT, repoContentsUrl=TEXT, commitHash=TEXT, repo=TEXT),
    examples=(
        Example("By name", {"repo": "${{ parameters.name }}", "owner": "${{ parameters.owner }}"}),
        Example("By a RepoUrlPicker's answer", {"repoUrl": "slipway?repo=${{ parameters.name }}"}),
    ),
    run=run,
    pretend=pretend,
    undo={KIND: undo},
)
