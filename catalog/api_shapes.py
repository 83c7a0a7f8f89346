"""What the catalog's API takes and answers, as its document says: bodies as JSON Schema, answers as serializers.

The bodies are those of Backstage's clients; what they do not name is accepted and not looked at.
"""

from typing import Any

from rest_framework import serializers

COUNT = {"type": "integer", "minimum": 0, "maximum": 10**9 - 1}
TEXTS = {"type": "array", "items": {"type": "string"}}
# What a predicate may hold is a language of its own: catalog.asking.filters says what is wrong with one.
PREDICATE = {"type": "object"}
_ORDER = {
    "type": "object",
    "properties": {"field": {"type": "string"}, "order": {"enum": ["asc", "desc"]}},
    "required": ["field"],
}
QUERY: dict[str, Any] = {
    "type": "object",
    "properties": {
        "query": PREDICATE,
        "cursor": {"type": "string"},
        "limit": COUNT,
        "offset": COUNT,
        "fields": TEXTS,
        "orderBy": {"anyOf": [_ORDER, {"type": "array", "items": _ORDER}]},
        "fullTextFilter": {"type": "object", "properties": {"term": {"type": "string"}, "fields": TEXTS}},
        "totalItems": {"enum": ["include", "exclude"]},
    },
}
REFS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "entityRefs": {"type": "array", "items": {"type": "string"}, "maxItems": 1000},
        "fields": TEXTS,
        "query": PREDICATE,
    },
    "required": ["entityRefs"],
}
FACETS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "facets": {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1, "maxItems": 50},
        "query": PREDICATE,
    },
    "required": ["facets"],
}
REFRESH: dict[str, Any] = {
    "type": "object",
    "properties": {"entityRef": {"type": "string"}},
    "required": ["entityRef"],
}
VALIDATE: dict[str, Any] = {
    "type": "object",
    "properties": {"entity": {}, "location": {"type": "string"}},
    "required": ["entity"],
}
CHECK: dict[str, Any] = {
    "type": "object",
    "properties": {
        "files": {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 1000},
        "text": {"type": "string"},
        "path": {"type": "string", "maxLength": 1000},
        "start": {"type": "string", "maxLength": 500},
    },
}
LOCATION: dict[str, Any] = {
    "type": "object",
    "properties": {"type": {"type": "string"}, "target": {"type": "string"}},
}
ANALYSIS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "location": LOCATION,
        "catalogFilename": {"type": "string"},
        "catalogFileName": {"type": "string"},
    },
}
LOCATIONS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "query": PREDICATE,
        "limit": {"type": "integer", "minimum": 1, "maximum": 10**9 - 1},
        "cursor": {"type": "string", "maxLength": 20_000},
    },
}


class RelationSerializer(serializers.Serializer[Any]):
    """An edge from an entity to another."""

    type = serializers.CharField()
    targetRef = serializers.CharField()


class EntitySerializer(serializers.Serializer[Any]):
    """An entity: the author's document with what the server knows added."""

    apiVersion = serializers.CharField()
    kind = serializers.CharField()
    metadata = serializers.DictField()
    spec = serializers.DictField(required=False)
    relations = RelationSerializer(many=True)
    status = serializers.DictField(required=False)


class EntityPartSerializer(serializers.Serializer[Any]):
    """An entity, or those parts of it that `fields` names."""

    apiVersion = serializers.CharField(required=False)
    kind = serializers.CharField(required=False)
    metadata = serializers.DictField(required=False)
    spec = serializers.DictField(required=False)
    relations = RelationSerializer(many=True, required=False)
    status = serializers.DictField(required=False)


ENTITIES = EntityPartSerializer(many=True)


class PageInfoSerializer(serializers.Serializer[Any]):
    """The cursors of the neighbours, where there are any."""

    nextCursor = serializers.CharField(required=False)
    prevCursor = serializers.CharField(required=False)


class EntityPageSerializer(serializers.Serializer[Any]):
    """A page of entities."""

    items = EntityPartSerializer(many=True)
    totalItems = serializers.IntegerField()
    pageInfo = PageInfoSerializer()


class EntitiesByRefsSerializer(serializers.Serializer[Any]):
    """As many items as references; null where there is none."""

    items = serializers.ListField(child=EntityPartSerializer(allow_null=True))


class AncestorSerializer(serializers.Serializer[Any]):
    """An entity and what it comes from."""

    entity = EntitySerializer()
    parentEntityRefs = serializers.ListField(child=serializers.CharField())


class AncestrySerializer(serializers.Serializer[Any]):
    """Where an entity comes from."""

    rootEntityRef = serializers.CharField()
    items = AncestorSerializer(many=True)


class FacetSerializer(serializers.Serializer[Any]):
    """A value and how many entities have it."""

    value = serializers.CharField()
    count = serializers.IntegerField()


class FacetsSerializer(serializers.Serializer[Any]):
    """The values of each key."""

    facets = serializers.DictField(child=FacetSerializer(many=True))


class NotAdmittedSerializer(serializers.Serializer[Any]):
    """Why an entity would not be admitted (`errors`), or what is wrong with the request (`error`)."""

    errors = serializers.ListField(child=serializers.DictField(), required=False)  # type: ignore[assignment]  # a field of that name
    error = serializers.DictField(required=False)


class ExcerptSerializer(serializers.Serializer[Any]):
    """Lines of a file, the first of them being number `first`, and where on `line` the place is (from 0)."""

    first = serializers.IntegerField()
    lines = serializers.ListField(child=serializers.CharField(allow_blank=True))
    line = serializers.IntegerField()
    column = serializers.IntegerField()
    length = serializers.IntegerField()


class EditSerializer(serializers.Serializer[Any]):
    """A mend: at this line and column (from 0) the file reads `was`, and should read `text`."""

    path = serializers.CharField(allow_blank=True)
    line = serializers.IntegerField()
    column = serializers.IntegerField()
    was = serializers.CharField()
    text = serializers.CharField()


class ProblemSerializer(serializers.Serializer[Any]):
    """One thing wrong. `code` is stable: docs/problems.md."""

    code = serializers.CharField()
    severity = serializers.ChoiceField(["error", "warning", "hint"])
    title = serializers.CharField()
    path = serializers.CharField(allow_blank=True)
    line = serializers.IntegerField()
    field = serializers.CharField(allow_blank=True)
    entityRef = serializers.CharField(allow_blank=True)
    sentence = serializers.CharField()
    expected = serializers.CharField(allow_blank=True)
    mend = serializers.CharField(allow_blank=True)
    excerpt = ExcerptSerializer(allow_null=True)
    edit = EditSerializer(allow_null=True)


class KeptProblemSerializer(ProblemSerializer):
    """A problem that lasts: whose it is, in which source, since when."""

    id = serializers.IntegerField()
    ownerRef = serializers.CharField(allow_blank=True)
    source = serializers.UUIDField()  # type: ignore[assignment]  # a field of that name
    firstSeenAt = serializers.DateTimeField()
    commit = serializers.CharField(allow_blank=True)
    isAside = serializers.BooleanField()


class ProblemPageSerializer(serializers.Serializer[Any]):
    """Problems on one page."""

    items = KeptProblemSerializer(many=True)
    totalItems = serializers.IntegerField()
    pageInfo = PageInfoSerializer()


class CheckedEntitySerializer(serializers.Serializer[Any]):
    """An entity that the files describe; `known` when the catalog has one of this name."""

    ref = serializers.CharField()
    state = serializers.ChoiceField(["new", "known"])
    path = serializers.CharField(allow_blank=True)
    line = serializers.IntegerField()


class CheckedSerializer(serializers.Serializer[Any]):
    """What reading the files would find; `ok` when nothing is an error. At most 1,000 problems are told."""

    ok = serializers.BooleanField()
    problemCount = serializers.IntegerField()
    problems = ProblemSerializer(many=True)
    entities = CheckedEntitySerializer(many=True)


class LocationSerializer(serializers.Serializer[Any]):
    """A source of the catalog."""

    id = serializers.UUIDField()
    type = serializers.CharField()
    target = serializers.CharField()
    entityRef = serializers.CharField()


class LocationDataSerializer(serializers.Serializer[Any]):
    """A location in its wrapper."""

    data = LocationSerializer()  # type: ignore[assignment]  # the same


class AddedLocationSerializer(serializers.Serializer[Any]):
    """A location with its entities; `exists` answers a dry run."""

    location = LocationSerializer()
    entities = serializers.ListField(child=serializers.DictField())
    exists = serializers.BooleanField(required=False)


class LocationPageSerializer(serializers.Serializer[Any]):
    """Locations on one page."""

    items = LocationSerializer(many=True)
    totalItems = serializers.IntegerField()
    pageInfo = PageInfoSerializer()


class EntityFileSerializer(serializers.Serializer[Any]):
    """An entity at an address, and whether it is registered."""

    isRegistered = serializers.BooleanField()
    location = serializers.DictField()
    entity = serializers.DictField()


class AnalysisSerializer(serializers.Serializer[Any]):
    """What is at an address; where there is no file yet, the beginning of one."""

    existingEntityFiles = EntityFileSerializer(many=True)
    generateEntities = serializers.ListField(child=serializers.DictField())
