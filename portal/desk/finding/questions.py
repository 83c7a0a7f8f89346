"""Plain questions, recognised by their wording: what is asked, and about what. Pure; no model, and nothing guessed."""

import re
from dataclasses import dataclass
from typing import Literal

Wish = Literal["owner", "lead", "health", "impact", "on-call", "chat", "runbook", "members", "owned"]


@dataclass(frozen=True)
class PlainQuestion:
    """`subject`: the words that name the thing. `expects`: for health, the state that was asked about: down, up or "".

    is_short  only a word beside a name ("payments status"), which may as well be a name itself
    """

    wish: Wish
    subject: str
    expects: str = ""
    is_short: bool = False


_UP = r"up|ok|okay|fine|healthy|working|running|alive|available|green|online|ready|serving"
_DOWN = r"down|broken|failing|unhealthy|dead|red|offline|crashing|degraded|unavailable|stuck|in trouble"
_ENDS = (
    r"stops?|stopped|breaks?|broke|fails?|failed|dies|died|goes down|went down|goes away|is down|is gone|is stopped|"
    r"is deleted|is removed|crashes|crashed|disappears|were gone|were down"
)
_OWNS = (
    r"owns?|owned|maintains?|looks after|takes care of|answers for|supports|built|builds|develops|"
    r"is responsible for|is accountable for|is behind|is in charge of"
)
_ON_CALL = r"on[- ]?call"
_TALK = r"(?:ask|contact|talk to|speak to|reach)"
_SUBJECT = r"(?P<subject>.+?)"

# In the order in which they are tried. `$` is the end of the line; question marks and fillers are gone by then.
_RULES: tuple[tuple[Wish, str], ...] = (
    (
        "impact",
        rf"what (?:breaks|would break|will break|stops|fails|is affected|suffers) (?:if|when) {_SUBJECT} (?:{_ENDS})",
    ),
    ("impact", rf"what happens (?:if|when) {_SUBJECT} (?:{_ENDS})"),
    ("impact", rf"(?:what|who) (?:is|would be|are) affected (?:by|if|when) {_SUBJECT}(?: (?:{_ENDS}))?"),
    ("impact", rf"(?:what|who|which \w+) (?:depends?|relies|rely) (?:up)?on {_SUBJECT}"),
    ("impact", rf"(?:what|who|which \w+) (?:uses?|needs?|consumes?|calls?) {_SUBJECT}"),
    ("impact", rf"(?:impact|blast radius|dependents|consumers|users) of {_SUBJECT}"),
    ("impact", rf"what (?:breaks|would break) without {_SUBJECT}"),
    ("on-call", rf"(?:who(?: is|'s|s)? |whos )?{_ON_CALL} (?:for|at|in|of|with|on) {_SUBJECT}"),
    ("on-call", rf"(?:who(?: is|'s)? )?{_SUBJECT} {_ON_CALL}"),
    ("on-call", rf"{_ON_CALL} {_SUBJECT}"),
    ("on-call", rf"who (?:do|can|should|must) (?:i|we) (?:page|call|wake|wake up) (?:for|about) {_SUBJECT}"),
    ("on-call", rf"who (?:carries|has) the pager (?:for|of) {_SUBJECT}"),
    ("lead", rf"who (?:leads|heads) {_SUBJECT}"),
    ("lead", rf"(?:who is |who's )?(?:the )?(?:lead|head|leader|team lead) of {_SUBJECT}"),
    ("members", rf"(?:who is|who's|who works|people|who) (?:in|on|at) {_SUBJECT}"),
    ("members", rf"(?:members|people) of {_SUBJECT}"),
    ("owned", rf"what (?:does|do) {_SUBJECT} (?:own|maintain|look after|run)"),
    ("owned", rf"(?:what is|what's|everything) owned by {_SUBJECT}"),
    ("owner", rf"(?:who|(?:which|what) team) (?:{_OWNS}|runs) {_SUBJECT}"),
    ("owner", rf"(?:who|whom)(?: is|'s)? {_SUBJECT} (?:owned|maintained|run|looked after) by"),
    (
        "owner",
        rf"(?:who|whom) (?:do|can|should|must) (?:i|we) {_TALK}(?: (?:about|for|regarding))? {_SUBJECT}",
    ),
    ("owner", rf"(?:who|whom) to (?:ask|contact|talk to)(?: (?:about|for))? {_SUBJECT}"),
    ("owner", rf"whose(?: \w+)? is {_SUBJECT}"),
    (
        "owner",
        rf"(?:who is |who's )?(?:the )?(?:owners?|owning team|team behind|maintainers?) (?:of|for) {_SUBJECT}",
    ),
    ("owner", rf"(?:the )?team behind {_SUBJECT}"),
    ("chat", rf"(?:how (?:do|can) (?:i|we)|how to) (?:reach|contact|get hold of) {_SUBJECT}"),
    (
        "chat",
        rf"(?:where is |what is )?(?:the )?(?:(?:chat |slack )?channel|chat|slack|contact) (?:of|for) {_SUBJECT}",
    ),
    ("runbook", rf"(?:where is |show )?(?:the )?(?:runbook|playbook) (?:of|for) {_SUBJECT}"),
    ("health", rf"(?:is|are|was) {_SUBJECT} (?:still |really |all )?(?P<up>{_UP})"),
    ("health", rf"(?:is|are|was) {_SUBJECT} (?:still |really )?(?P<down>{_DOWN})"),
    ("health", rf"why is {_SUBJECT} (?:{_DOWN}|slow)"),
    ("health", rf"(?:what is|what's) (?:wrong|up|the matter) with {_SUBJECT}"),
    ("health", rf"how (?:is|are) {_SUBJECT}(?: doing| today| now)?"),
    ("health", rf"(?:what is |what's )?(?:the )?(?:status|health|state) (?:of|for) {_SUBJECT}"),
    ("health", rf"does {_SUBJECT} (?P<up>work|run)"),
)
# A word after or before a name.
_SHORT: tuple[tuple[Wish, str], ...] = (
    ("owner", rf"{_SUBJECT} (?:owner|owners|ownership)"),
    ("owner", rf"(?:owner|owners) {_SUBJECT}"),
    ("lead", rf"{_SUBJECT} (?:lead|team lead)"),
    ("health", rf"{_SUBJECT} (?:status|health|up|(?P<down>down))"),
    ("health", rf"(?:status|health) {_SUBJECT}"),
    ("impact", rf"{_SUBJECT} (?:impact|blast radius|dependents|consumers)"),
    ("chat", rf"{_SUBJECT} (?:chat|slack|channel|contact)"),
    ("runbook", rf"{_SUBJECT} (?:runbook|playbook)"),
    ("runbook", rf"(?:runbook|playbook) {_SUBJECT}"),
    ("members", rf"{_SUBJECT} (?:members|people)"),
)
_COMPILED = [(wish, re.compile(rf"{rule}\Z"), False) for wish, rule in _RULES]
_COMPILED += [(wish, re.compile(rf"{rule}\Z"), True) for wish, rule in _SHORT]

_FILLER = re.compile(
    r"\A(?:hey|hi|hello|please|pls|can you|could you|tell me|show me|i want to know|i need to know|do you know|"
    r"so|and|find out)\b[ ,]*"
)
_DETERMINER = re.compile(r"\A(?:the|our|my|a|an|this|that|team|service|component|system) (?=\S)")
_KIND_WORD = re.compile(
    r"(?<=\S) (?:service|component|system|team|app|application|right now|now|today|currently|please)\Z"
)


def read_question(text: str) -> PlainQuestion | None:
    """The question that a line asks, or None. `text` is a tidied line (typed.read)."""
    line = _plain(text)
    for wish, rule, is_short in _COMPILED:
        match = rule.match(line)
        if match and (subject := _subject(match["subject"])):
            known = match.groupdict()
            expects = "down" if known.get("down") else "up" if known.get("up") else ""
            return PlainQuestion(wish, subject, expects, is_short)
    return None


def _plain(text: str) -> str:
    line = " ".join(text.replace("’", "'").replace("“", '"').replace("”", '"').split()).strip(" ?!.,;")
    lowered = line.lower()
    while (match := _FILLER.match(lowered)) and len(lowered) > match.end():
        lowered = lowered[match.end() :]
    return lowered


def _subject(text: str) -> str:
    """The words of the name, without articles and quotes."""
    text = text.strip(" \"'`?!.,;")
    while match := _DETERMINER.match(text):
        if match[0].strip() not in {"the", "our", "my", "a", "an", "this", "that"}:
            break
        text = text[match.end() :]
    return re.sub(r"(?<=\S) (?:right now|now|today|currently|please)\Z", "", text).strip()


def shorter(subject: str) -> list[str]:
    """The same subject without words that say its kind, to try when the whole is nobody's name: `payments team` may be
    payments, `service tracking` tracking. The surest first."""
    tries = [_KIND_WORD.sub("", subject), _DETERMINER.sub("", subject)]
    tries.append(_DETERMINER.sub("", tries[0]))
    return [one for one in dict.fromkeys(tries) if one and one != subject]
