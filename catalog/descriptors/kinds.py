"""The kinds of the catalog: their versions, the fields of their `spec` and the relations those fields make."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Shape = Literal["text", "texts", "object", "any"]

OWNED_BY, OWNER_OF = "ownedBy", "ownerOf"
PART_OF, HAS_PART = "partOf", "hasPart"
PROVIDES_API, API_PROVIDED_BY = "providesApi", "apiProvidedBy"
CONSUMES_API, API_CONSUMED_BY = "consumesApi", "apiConsumedBy"
DEPENDS_ON, DEPENDENCY_OF = "dependsOn", "dependencyOf"
PARENT_OF, CHILD_OF = "parentOf", "childOf"
MEMBER_OF, HAS_MEMBER = "memberOf", "hasMember"

REVERSE: Mapping[str, str] = {
    OWNED_BY: OWNER_OF,
    PART_OF: HAS_PART,
    PROVIDES_API: API_PROVIDED_BY,
    CONSUMES_API: API_CONSUMED_BY,
    DEPENDS_ON: DEPENDENCY_OF,
    PARENT_OF: CHILD_OF,
    MEMBER_OF: HAS_MEMBER,
    OWNER_OF: OWNED_BY,
    HAS_PART: PART_OF,
    API_PROVIDED_BY: PROVIDES_API,
    API_CONSUMED_BY: CONSUMES_API,
    DEPENDENCY_OF: DEPENDS_ON,
    CHILD_OF: PARENT_OF,
    HAS_MEMBER: MEMBER_OF,
}


@dataclass(frozen=True)
class Field:
    """A field of `spec`: its shape, and the relation it makes (`target` is the kind of a short reference, if any)."""

    name: str
    shape: Shape = "text"
    required: bool = False
    relation: str = ""
    target: str | None = None
    hint: str = ""


@dataclass(frozen=True)
class Kind:
    """One kind: what it is called in the plural, the apiVersions it comes in and its fields."""

    name: str
    plural: str
    versions: tuple[str, ...]
    fields: tuple[Field, ...]
    about: str


CORE = ("backstage.io/v1alpha1", "backstage.io/v1beta1")
TEMPLATE_VERSION = "scaffolder.backstage.io/v1beta3"
MCP_SERVER = "mcp-server"

_OWNER = Field(
    "owner", required=True, relation=OWNED_BY, target="Group", hint="the team that answers for it, e.g. payments"
)
_SYSTEM = Field("system", relation=PART_OF, target="System")
_LIFECYCLE = Field("lifecycle", required=True, hint="e.g. experimental, production or deprecated")
_DEPENDS = (
    Field("dependsOn", "texts", relation=DEPENDS_ON),
    Field("dependencyOf", "texts", relation=DEPENDENCY_OF),
)
_PROFILE = Field("profile", "object")


def _type(hint: str, required: bool = True) -> Field:
    return Field("type", required=required, hint=f"e.g. {hint}")


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "Component",
            "Components",
            CORE,
            (
                _type("service, website or library"),
                _LIFECYCLE,
                _OWNER,
                _SYSTEM,
                Field("subcomponentOf", relation=PART_OF, target="Component"),
                Field("providesApis", "texts", relation=PROVIDES_API, target="API"),
                Field("consumesApis", "texts", relation=CONSUMES_API, target="API"),
                *_DEPENDS,
            ),
            "A piece of software: a service, a website, a library, a job.",
        ),
        Kind(
            "API",
            "APIs",
            CORE,
            (
                _type("openapi, asyncapi, graphql or grpc"),
                _LIFECYCLE,
                _OWNER,
                _SYSTEM,
                Field("definition", required=True, hint="the definition itself, or {$text: ./openapi.yaml}"),
            ),
            "A boundary between components, with its definition.",
        ),
        Kind(
            "Resource",
            "Resources",
            CORE,
            (_type("database, queue or bucket"), _OWNER, _SYSTEM, *_DEPENDS),
            "What components need to run: a database, a queue, a bucket.",
        ),
        Kind(
            "System",
            "Systems",
            CORE,
            (_OWNER, Field("domain", relation=PART_OF, target="Domain"), Field("type")),
            "Components and resources that together do one thing.",
        ),
        Kind(
            "Domain",
            "Domains",
            CORE,
            (_OWNER, Field("subdomainOf", relation=PART_OF, target="Domain"), Field("type")),
            "A part of the business, with its systems.",
        ),
        Kind(
            "Group",
            "Groups",
            CORE,
            (
                _type("team, department or organisation"),
                Field(
                    "children",
                    "texts",
                    required=True,
                    relation=PARENT_OF,
                    target="Group",
                    hint="[] when there are none",
                ),
                Field("parent", relation=CHILD_OF, target="Group"),
                Field("members", "texts", relation=HAS_MEMBER, target="User"),
                _PROFILE,
            ),
            "A team or a part of the organisation.",
        ),
        Kind(
            "User",
            "Users",
            CORE,
            (
                Field(
                    "memberOf",
                    "texts",
                    required=True,
                    relation=MEMBER_OF,
                    target="Group",
                    hint="[] when there are none",
                ),
                _PROFILE,
            ),
            "A person.",
        ),
        Kind(
            "Location",
            "Locations",
            CORE,
            (Field("type"), Field("target"), Field("targets", "texts"), Field("presence")),
            "A file that points to further descriptor files.",
        ),
        Kind(
            "Template",
            "Templates",
            (TEMPLATE_VERSION,),
            (
                _type("service, library or job"),
                Field("owner", relation=OWNED_BY, target="Group"),
                Field("lifecycle"),
                Field("steps", "any", required=True, hint="a list of {id, name, action, input}"),
                Field("parameters", "any"),
                Field("output", "object"),
            ),
            "A golden path: what makes a new component.",
        ),
        Kind(
            "AiResource",
            "AI resources",
            ("backstage.io/v1alpha1",),
            (_type("skill, rule, plugin or marketplace"), _LIFECYCLE, _OWNER, _SYSTEM),
            "A skill, rule or plugin for coding assistants.",
        ),
    )
}

# What an AiResource adds by its spec.type.
AI_FIELDS: Mapping[str, tuple[Field, ...]] = {
    "skill": (
        Field("disciplines", "texts"),
        Field("categories", "texts"),
        Field("agents", "texts"),
        Field("dependsOn", "texts", relation=DEPENDS_ON, target="AiResource"),
        Field("license"),
        Field("compatibility"),
    ),
    "rule": (
        Field("category", required=True),
        Field("rationale", required=True),
        Field("disciplines", "texts"),
    ),
    "plugin": (
        Field("skills", "texts", required=True, relation=HAS_PART, target="AiResource"),
        Field("version"),
    ),
    "marketplace": (
        Field("plugins", "texts", required=True, relation=HAS_PART, target="AiResource"),
        Field("version"),
    ),
}


def fields_of(kind: str, spec: Mapping[str, object]) -> tuple[Field, ...]:
    """The fields of `spec` for this kind and its variant."""
    known = KINDS[kind].fields
    if kind == "API" and spec.get("type") == MCP_SERVER:
        return (*(each for each in known if each.name != "definition"), Field("remotes", "any", required=True))
    if kind == "AiResource":
        return (*known, *AI_FIELDS.get(str(spec.get("type")), ()))
    return known
