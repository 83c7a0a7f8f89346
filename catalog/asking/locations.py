"""Where an entity comes from, in the words of the catalog API: shown with it, and found by it."""

from catalog.asking.facts import PLACED
from catalog.models import Source
from portal.githosts.weburls import file_page


def annotations_of(source: Source | None, path: str) -> dict[str, str]:
    """What the server knows of an entity's place, as annotations."""
    location = location_of(source, path) if source else "slipway:none"
    return dict(zip(PLACED, (location, location_of(source) if source else location), strict=True))


def location_of(source: Source, path: str = "") -> str:
    """`<type>:<target>` of a source, or of a file in it."""
    below = f"/{path}" if path else ""
    if source.kind == Source.Kind.URL:
        return f"url:{source.target}"
    if source.kind == Source.Kind.FOLDER:
        return f"file:{source.target}{below}"
    if source.kind == Source.Kind.GIT and source.target.startswith("https://"):
        return f"url:{file_page(source.target, source.revision, path)}" if path else f"url:{source.target}"
    return f"slipway:{source.kind}/{source.target}{below}"
