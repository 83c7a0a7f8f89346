"""Fill: answers of earlier runs that were typed unseen, or that the review masks, give way to a mask.

A run that still works is stopped by it with a sentence, for what it needs is nowhere else, and Retry asks for it. The
files that such runs kept for a retry go as well: the steps that made them make them again.
What is written here is what portal/goldenpaths/questions/unseen.py reads; docs/adr/0176.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

from django.db import migrations

MASK = "***"
AT_ONCE = 200


def parts(schema: Any) -> Iterator[dict[str, Any]]:
    yield schema
    branches = [one for word in ("allOf", "anyOf", "oneOf") for one in schema.get(word) or []]
    branches += [schema.get(word) for word in ("if", "then", "else")]
    branches += list((schema.get("dependencies") or {}).values())
    for branch in branches:
        if isinstance(branch, dict):
            yield from parts(branch)


def is_unseen(schema: dict[str, Any]) -> bool:
    options, backstage = schema.get("ui:options"), schema.get("ui:backstage")
    review = backstage.get("review") if isinstance(backstage, dict) else None
    widget = schema.get("ui:widget", options.get("widget") if isinstance(options, dict) else None)
    return widget == "password" or (isinstance(review, dict) and bool(review.get("mask")))


def among(
    asking: list[dict[str, Any]], values: dict[str, Any], at: tuple[str, ...], found: list[str]
) -> dict[str, Any]:
    questions: dict[str, list[dict[str, Any]]] = {}
    for schema in asking:
        for part in parts(schema):
            for name, child in (part.get("properties") or {}).items():
                if isinstance(child, dict):
                    questions.setdefault(name, []).append(child)
    return {name: within(questions.get(name, []), value, (*at, name), found) for name, value in values.items()}


def within(asking: list[dict[str, Any]], value: Any, at: tuple[str, ...], found: list[str]) -> Any:
    if value is None or value == "":
        return value
    if any(is_unseen(schema) for schema in asking):
        name = "parameters/" + "/".join(part.replace("~", "~0").replace("/", "~1") for part in at)
        found.append(name if len(name) <= 200 else "parameters/" + hashlib.sha256(name.encode()).hexdigest())
        return MASK
    if isinstance(value, dict):
        return among(asking, value, at, found)
    if isinstance(value, list):
        items = [schema["items"] for schema in asking if isinstance(schema.get("items"), dict)]
        return [within(items, item, (*at, str(number)), found) for number, item in enumerate(value)]
    return value


def mask_organisation(apps: Any) -> None:
    Run, Version = apps.get_model("provisioning", "Run"), apps.get_model("goldenpaths", "Version")
    for version in Version.objects.extra(where=["document::text ~ 'password|\"mask\"'"]).iterator(AT_ONCE):
        pages = version.document["spec"].get("parameters") or []
        for run in Run.objects.filter(version_id=version.pk).iterator(AT_ONCE):
            found: list[str] = []
            values = among(pages if isinstance(pages, list) else [pages], run.values, (), found)
            if found:
                names = sorted({*run.secret_names, *found})
                Run.objects.filter(pk=run.pk).update(values=values, secret_names=names)
                apps.get_model("provisioning", "Workspace").objects.filter(run_id=run.pk).delete()


def mask_all(apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT id FROM accounts_organisation")
        for (organisation,) in cursor.fetchall():
            cursor.execute("SELECT set_config('app.tenant', %s, true)", [str(organisation)])
            mask_organisation(apps)
        cursor.execute("SELECT set_config('app.tenant', '', true)")


class Migration(migrations.Migration):
    dependencies = [("provisioning", "0005_for_search"), ("goldenpaths", "0003_uploads_have_no_address")]

    operations = [migrations.RunPython(mask_all, migrations.RunPython.noop)]
