"""What can go wrong with git, in words for the person who asked."""

from portal.kit.errors import Away, Refusal


class GitFailed(Refusal):
    """Git ended with an error; the text says what it was about and never quotes a URL with credentials."""

    def __init__(self, text: str, *, stderr: str = "", code: str = "git_failed", status: int = 502) -> None:
        super().__init__(text, status=status, code=code)
        self.stderr = stderr


class GitTimedOut(GitFailed):
    """Git did not end in its time."""


class GitAway(GitFailed, Away):
    """The git host does not answer, or broke off."""

    def __init__(self, text: str, *, stderr: str = "") -> None:
        super().__init__(text, stderr=stderr, code="unreachable", status=503)


class GitTooMuch(GitFailed):
    """Git wrote more than the caller was ready to read."""
