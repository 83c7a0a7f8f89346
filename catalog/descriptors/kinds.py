"""The kinds of the catalog as data: how they read, look and are listed, the fields of their `spec` and the relations
those fields make. A kind is a row here: no other place names what is true of one kind alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from portal.kit.refs import DEFAULT_NAMESPACE, completed

Shape = Literal["text", "texts", "object", "any"]

OWNED_BY, OWNER_OF = "ownedBy", "ownerOf"
PART_OF, HAS_PART = "partOf", "hasPart"
PROVIDES_API, API_PROVIDED_BY = "providesApi", "apiProvidedBy"
CONSUMES_API, API_CONSUMED_BY = "consumesApi", "apiConsumedBy"
DEPENDS_ON, DEPENDENCY_OF = "dependsOn", "dependencyOf"
PARENT_OF, CHILD_OF = "parentOf", "childOf"
MEMBER_OF, HAS_MEMBER = "memberOf", "hasMember"


@dataclass(frozen=True)
class RelationType:
    """A relation, what it is called at the end it starts from, and its name seen from the other end."""

    name: str
    word: str
    reverse: str


# In the order in which pages show them.
RELATION_TYPES: Mapping[str, RelationType] = {
    each.name: each
    for each in (
        RelationType(OWNED_BY, "Owned by", OWNER_OF),
        RelationType(OWNER_OF, "Owns", OWNED_BY),
        RelationType(PART_OF, "Part of", HAS_PART),
        RelationType(HAS_PART, "Has part", PART_OF),
        RelationType(PROVIDES_API, "Provides", API_PROVIDED_BY),
        RelationType(API_PROVIDED_BY, "Provided by", PROVIDES_API),
        RelationType(CONSUMES_API, "Consumes", API_CONSUMED_BY),
        RelationType(API_CONSUMED_BY, "Consumed by", CONSUMES_API),
        RelationType(DEPENDS_ON, "Depends on", DEPENDENCY_OF),
        RelationType(DEPENDENCY_OF, "Needed by", DEPENDS_ON),
        RelationType(PARENT_OF, "Parent of", CHILD_OF),
        RelationType(CHILD_OF, "Child of", PARENT_OF),
        RelationType(MEMBER_OF, "Member of", HAS_MEMBER),
        RelationType(HAS_MEMBER, "Members", MEMBER_OF),
    )
}
REVERSE: Mapping[str, str] = {each.name: each.reverse for each in RELATION_TYPES.values()}


def relation_word(name: str) -> str:
    """What people read for a relation; its own name when nobody has a word for it."""
    known = RELATION_TYPES.get(name)
    return known.word if known else name


@dataclass(frozen=True)
class KindField:
    """A field of `spec`: its shape, and the relation it makes (`target` is the kind of a short reference, if any)."""

    name: str
    shape: Shape = "text"
    required: bool = False
    relation: str = ""
    target: str | None = None
    hint: str = ""


Column = Literal["type", "lifecycle", "owner", "system", "health"]


@dataclass(frozen=True)
class EntityKind:
    """One kind of entity.

    versions       the apiVersions it comes in
    fields         of its `spec`; those with a relation make the kind's relations
    icon           a name of scripts/icons.txt
    columns        of its list, beside the name
    has_workloads  whether something in a cluster may belong to it
    is_owned       whether one without an owner is worth a word
    definition     the field of `spec` that its page shows on a tab of its own, "" for none
    is_team        whether it is a team, with people
    """

    name: str
    plural: str
    versions: tuple[str, ...]
    fields: tuple[KindField, ...]
    about: str
    icon: str = "file-text"
    columns: tuple[Column, ...] = ("type", "lifecycle", "owner")
    has_workloads: bool = False
    is_owned: bool = False
    definition: str = ""
    is_team: bool = False


# What the list of all kinds shows beside the name.
COLUMNS: tuple[Column, ...] = ("type", "lifecycle", "owner", "health")


CORE = ("backstage.io/v1alpha1", "backstage.io/v1beta1")
TEMPLATE_VERSION = "scaffolder.backstage.io/v1beta3"
MCP_SERVER = "mcp-server"

_OWNER = KindField(
    "owner", required=True, relation=OWNED_BY, target="Group", hint="the team that answers for it, e.g. payments"
)
_SYSTEM = KindField("system", relation=PART_OF, target="System")
_LIFECYCLE = KindField("lifecycle", required=True, hint="e.g. experimental, production or deprecated")
_DEPENDS = (
    KindField("dependsOn", "texts", relation=DEPENDS_ON),
    KindField("dependencyOf", "texts", relation=DEPENDENCY_OF),
)
_PROFILE = KindField("profile", "object")


def _type(hint: str, required: bool = True) -> KindField:
    return KindField("type", required=required, hint=f"e.g. {hint}")


KINDS: Mapping[str, EntityKind] = {
    kind.name: kind
    for kind in (
        EntityKind(
            "Component",
            "Components",
            CORE,
            (
                _type("service, website or library"),
                _LIFECYCLE,
                _OWNER,
                _SYSTEM,
                KindField("subcomponentOf", relation=PART_OF, target="Component"),
                KindField("providesApis", "texts", relation=PROVIDES_API, target="API"),
                KindField("consumesApis", "texts", relation=CONSUMES_API, target="API"),
                *_DEPENDS,
            ),
            "A piece of software: a service, a website, a library, a job.",
            icon="box",
            columns=("type", "lifecycle", "owner", "health"),
            has_workloads=True,
            is_owned=True,
        ),
        EntityKind(
            "API",
            "APIs",
            CORE,
            (
                _type("openapi, asyncapi, graphql or grpc"),
                _LIFECYCLE,
                _OWNER,
                _SYSTEM,
                KindField("definition", required=True, hint="the definition itself, or {$text: ./openapi.yaml}"),
            ),
            "A boundary between components, with its definition.",
            icon="api",
            is_owned=True,
            definition="definition",
        ),
        EntityKind(
            "Resource",
            "Resources",
            CORE,
            (_type("database, queue or bucket"), _OWNER, _SYSTEM, *_DEPENDS),
            "What components need to run: a database, a queue, a bucket.",
            icon="database",
            columns=("type", "owner", "system", "health"),
            has_workloads=True,
            is_owned=True,
        ),
        EntityKind(
            "System",
            "Systems",
            CORE,
            (_OWNER, KindField("domain", relation=PART_OF, target="Domain"), KindField("type")),
            "Components and resources that together do one thing.",
            icon="stack-2",
            columns=("type", "owner", "system"),
            is_owned=True,
        ),
        EntityKind(
            "Domain",
            "Domains",
            CORE,
            (_OWNER, KindField("subdomainOf", relation=PART_OF, target="Domain"), KindField("type")),
            "A part of the business, with its systems.",
            icon="world",
            columns=("type", "owner", "system"),
        ),
        EntityKind(
            "Group",
            "Groups",
            CORE,
            (
                _type("team, department or organisation"),
                KindField(
                    "children",
                    "texts",
                    required=True,
                    relation=PARENT_OF,
                    target="Group",
                    hint="[] when there are none",
                ),
                KindField("parent", relation=CHILD_OF, target="Group"),
                KindField("members", "texts", relation=HAS_MEMBER, target="User"),
                _PROFILE,
            ),
            "A team or a part of the organisation.",
            icon="users-group",
            columns=("type",),
            is_team=True,
        ),
        EntityKind(
            "User",
            "Users",
            CORE,
            (
                KindField(
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
            icon="user",
            columns=(),
        ),
        EntityKind(
            "Location",
            "Locations",
            CORE,
            (KindField("type"), KindField("target"), KindField("targets", "texts"), KindField("presence")),
            "A file that points to further descriptor files.",
            icon="map-pin",
            columns=("type",),
        ),
        EntityKind(
            "Template",
            "Templates",
            (TEMPLATE_VERSION,),
            (
                _type("service, library or job"),
                KindField("owner", relation=OWNED_BY, target="Group"),
                KindField("lifecycle"),
                KindField("steps", "any", required=True, hint="a list of {id, name, action, input}"),
                KindField("parameters", "any"),
                KindField("output", "object"),
            ),
            "A golden path: what makes a new component.",
            icon="route",
        ),
        EntityKind(
            "AiResource",
            "AI resources",
            ("backstage.io/v1alpha1",),
            (_type("skill, rule, plugin or marketplace"), _LIFECYCLE, _OWNER, _SYSTEM),
            "A skill, rule or plugin for coding assistants.",
        ),
    )
}

# What an AiResource adds by its spec.type.
AI_FIELDS: Mapping[str, tuple[KindField, ...]] = {
    "skill": (
        KindField("disciplines", "texts"),
        KindField("categories", "texts"),
        KindField("agents", "texts"),
        KindField("dependsOn", "texts", relation=DEPENDS_ON, target="AiResource"),
        KindField("license"),
        KindField("compatibility"),
    ),
    "rule": (
        KindField("category", required=True),
        KindField("rationale", required=True),
        KindField("disciplines", "texts"),
    ),
    "plugin": (
        KindField("skills", "texts", required=True, relation=HAS_PART, target="AiResource"),
        KindField("version"),
    ),
    "marketplace": (
        KindField("plugins", "texts", required=True, relation=HAS_PART, target="AiResource"),
        KindField("version"),
    ),
}


def icon_of(kind: str) -> str:
    """The icon of a kind in any case; a sheet of paper for a kind that nobody described."""
    known = _BY_LOWER.get(kind.lower())
    return known.icon if known else EntityKind.icon


_BY_LOWER = {name.lower(): kind for name, kind in KINDS.items()}


def fields_of(kind: str, spec: Mapping[str, object]) -> tuple[KindField, ...]:
    """The fields of `spec` for this kind and its variant."""
    known = KINDS[kind].fields
    if kind == "API" and spec.get("type") == MCP_SERVER:
        return (*(each for each in known if each.name != "definition"), KindField("remotes", "any", required=True))
    if kind == "AiResource":
        return (*known, *AI_FIELDS.get(str(spec.get("type")), ()))
    return known


def is_ownable(kind: str) -> bool:
    """Whether an entity of this kind can have an owner."""
    known = KINDS.get(kind)
    return known is not None and any(field.relation == OWNED_BY for field in known.fields)


def owner_ref(text: str, *, namespace: str = DEFAULT_NAMESPACE) -> str:
    """The complete reference of an owner: one without a kind is a group. "" for a text that is no reference."""
    return completed(text, kind="group", namespace=namespace)
