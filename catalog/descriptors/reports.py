"""Findings for programs that show lines: terminals, and the annotations of a pipeline."""

from collections.abc import Iterable

from catalog.descriptors.findings import Finding

_GITHUB = {"error": "error", "warning": "warning", "hint": "notice"}


def as_text(findings: Iterable[Finding]) -> str:
    """`path:line:column: severity: sentence [code]`, as compilers say it, with the lines around below."""
    said = [_block(finding) for finding in findings]
    return "\n".join(said) if said else "Nothing is wrong.\n"


def _block(finding: Finding) -> str:
    head = f"{finding.path}:{finding.line}:{_column(finding)}: {finding.severity}: {finding.sentence} [{finding.code}]"
    excerpt = f"\n{finding.excerpt.text()}" if finding.excerpt else ""
    return f"{head}{excerpt}\n  To mend it: {finding.mend}\n"


def _column(finding: Finding) -> int:
    return finding.excerpt.column + 1 if finding.excerpt and finding.excerpt.length else 1


def as_github(findings: Iterable[Finding]) -> str:
    """Workflow commands: printed by a step, each becomes an annotation at its file and line."""
    return "".join(f"{_command(finding)}\n" for finding in findings)


def _command(finding: Finding) -> str:
    told = {"file": finding.path, "line": finding.line, "col": _column(finding), "title": finding.kind.title}
    facts = ",".join(f"{name}={_property(str(value))}" for name, value in told.items() if value)
    return f"::{_GITHUB[finding.severity]} {facts}::{_escaped(finding.sentence)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
