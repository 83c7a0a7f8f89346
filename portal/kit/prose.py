"""Markdown that people and descriptors bring, turned into HTML that cannot bite."""

import itertools
import re
from collections.abc import Callable

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token

from portal.kit.paths import visible_text
from portal.kit.plain import split_url

LONGEST = 200_000
TAGS = {
    *("p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "code", "em", "strong", "s", "del"),
    *("ul", "ol", "li", "a", "table", "thead", "tbody", "tr", "th", "td", "input"),
}
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
# In front of a heading's name: what somebody wrote never takes the name of a part of our own page.
ANCHOR = "doc-"
# `- [x] done`: a list of tasks, as git hosts draw it.
TASK = re.compile(r"\[([ xX])\]\s+")
_reader = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])

Link = Callable[[str], str]


def to_html(text: str, *, link: Link | None = None) -> SafeString:
    """CommonMark with tables and task lists; raw HTML shows as text, images as words, links open nothing by script.

    link  where a relative address leads to, "" for nowhere; without it they stay as they are
    Headings can be linked to by their words, as on git hosts: `#what-is-it`.
    """
    tokens = _reader.parse(visible_text(text[:LONGEST]))
    _name_headings(tokens)
    _mark_tasks(tokens)
    for token in tokens:
        if token.children:
            token.children = [piece for child in token.children for piece in _settled(child, link)]
    clean = nh3.clean(
        _reader.renderer.render(tokens, _reader.options, {}),
        tags=TAGS,
        attributes={
            "a": {"href"},
            "th": {"align"},
            "td": {"align"},
            "code": {"class"},
            "ol": {"start"},
            "li": {"class"},
            "input": {"type", "disabled", "checked", "aria-label"},
            **{heading: {"id"} for heading in HEADINGS},
        },
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )
    # Cleaned by nh3 one line above.
    return mark_safe(clean)  # noqa: S308


def _name_headings(tokens: list[Token]) -> None:
    taken: dict[str, int] = {}
    for opening, inside in itertools.pairwise(tokens):
        if opening.type != "heading_open":
            continue
        words = "".join(child.content for child in inside.children or () if child.type in {"text", "code_inline"})
        name = re.sub(r"[^\w\- ]", "", words.strip().lower()).replace(" ", "-")
        number = taken.get(name, 0)
        taken[name] = number + 1
        opening.attrSet("id", f"{ANCHOR}{name}{f'-{number}' if number else ''}")


def _mark_tasks(tokens: list[Token]) -> None:
    """An item that begins with a box shows a box that nobody can tick here; the text of the file decides."""
    for item, paragraph, inside in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if (item.type, paragraph.type) != ("list_item_open", "paragraph_open") or not inside.children:
            continue
        first = inside.children[0]
        if first.type != "text" or not (found := TASK.match(first.content)):
            continue
        done, rest = found[1] != " ", first.content[found.end() :]
        if not rest and len(inside.children) == 1:
            continue
        first.content = rest
        attrs = {"type": "checkbox", "disabled": "", "aria-label": "Done" if done else "To do"}
        inside.children.insert(0, Token("task", "input", 0, attrs={**attrs, **({"checked": ""} if done else {})}))
        item.attrSet("class", "task")


def _settled(token: Token, link: Link | None) -> list[Token]:
    """The token with its address led to where it should go; a picture becomes its words, linked where it is ours."""
    if token.type == "link_open":
        token.attrSet("href", _led(str(token.attrGet("href") or ""), link))
    if token.type != "image":
        return [token]
    words = Token("text", "", 0, content=token.content or "picture")
    target = str(token.attrGet("src") or "")
    if link is None or not _is_relative(target):
        return [words]
    opening = Token("link_open", "a", 1, attrs={"href": link(target)})
    return [opening, words, Token("link_close", "a", -1)]


def _led(target: str, link: Link | None) -> str:
    if target.startswith("#"):
        return f"#{ANCHOR}{target[1:].lower()}"
    return link(target) if link is not None and _is_relative(target) else target


def _is_relative(target: str) -> bool:
    parts = split_url(target)
    return parts is not None and not parts.scheme and not parts.netloc
