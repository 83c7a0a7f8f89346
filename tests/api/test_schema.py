"""Every operation of the API against its own description: generated requests, bounded and the same in every run.

What is sent fits the description, or breaks it on purpose. Whatever it is, the answer is one that the operation
documents, in the shape it documents, with a sentence where it is an error; and what breaks the description is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from portal.accounts.access import digest_of
from portal.accounts.contract import document
from portal.accounts.models import ApiToken
from portal.jobs import waiting
from portal.jobs.models import Job
from tests.accounts.house import House, furnish
from tests.accounts.test_doors import TENANT_API

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
BOUNDED = settings(
    max_examples=8,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
BY_TEMPLATE = {"/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", address.route): address for address in TENANT_API}
UNDESCRIBED = {"api-schema"}


@pytest.fixture
def house(world: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """One of everything; no worker is at hand, so that what needs one is answered with the address of its job."""

    def at_once(organisation_id: int, uid: Any, seconds: float) -> Job:
        found: Job = Job.objects.get(uid=uid)
        return found

    monkeypatch.setattr(waiting, "wait", at_once)
    # As Django's own test client: a request's end must not end the connection that holds the test's transaction.
    request_started.disconnect(close_old_connections)
    request_finished.disconnect(close_old_connections)
    yield furnish(world, tmp_path)
    request_started.connect(close_old_connections)
    request_finished.connect(close_old_connections)


def bearer(world: Any, person: Any) -> dict[str, str]:
    """A token of somebody, with every scope."""
    secret = f"slw_{person.pk}_contract"
    with world.tenant():
        ApiToken.objects.create(
            organisation=world.acme, user=person, name="contract", prefix="slw_c", digest=digest_of(secret),
            scopes=["read", "write", "admin"], expires_at=timezone.now() + timedelta(days=1),
        )  # fmt: skip
    return {"Authorization": f"Bearer {secret}"}


def operations() -> list[Any]:
    schema = schemathesis.openapi.from_dict(document())
    schema.app = WSGIHandler()
    return [found.ok() for found in schema.get_all_operations()]


def test_the_document_knows_every_address():
    described = set(document()["paths"])
    assert {template for template, address in BY_TEMPLATE.items() if address.name not in UNDESCRIBED} == described


def test_every_operation_documents_its_refusals_with_the_one_error():
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            wanted = {"400", "401", "403", "404", "503"}
            if "requestBody" in operation:
                wanted |= {"409", "413", "415", "422"}
            assert wanted <= set(operation["responses"]), (method, path)
            for code, response in operation["responses"].items():
                if code >= "400" and (path.rpartition("/")[2], code) != ("validate-entity", "400"):
                    schema = response["content"]["application/json"]["schema"]
                    assert schema == {"$ref": "#/components/schemas/Refusal"}, (method, path, code)


def test_answers_have_shapes():
    """No operation answers with just any object."""
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            for code, response in operation["responses"].items():
                if code < "400" and "content" in response:
                    schema = response["content"]["application/json"]["schema"]
                    assert "$ref" in schema or "$ref" in schema.get("items", {}), (method, path, code)


@pytest.mark.slow
@pytest.mark.parametrize("who", ["ada", "vic"])
def test_every_operation_keeps_its_word(world: Any, house: House, who: str) -> None:
    headers = bearer(world, getattr(world, who))
    broken: dict[str, str] = {}
    for operation in operations():
        address = BY_TEMPLATE[operation.path]
        known = {name: str(value) for name, value in house.fill(address.name, address.converters).items()}
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            for path in ({"org": "acme", **known}, {"org": "acme"}):
                if path == {"org": "acme"} and (not known or who != "ada"):
                    continue
                try:
                    _run(operation, mode, path, headers)
                except FailureGroup as error:
                    broken.setdefault(f"{operation.label} {mode.value}", str(error)[:1500])
                except Unsatisfiable:
                    # Nothing of this operation can be broken, or fitted, with the addresses given.
                    continue
    assert not broken, "\n\n".join(f"### {label}\n{text}" for label, text in broken.items())


def _run(operation: Any, mode: GenerationMode, path: dict[str, str], headers: dict[str, str]) -> None:
    @BOUNDED
    @given(case=operation.as_strategy(mode, path_parameters=path))
    def run(case: Any) -> None:
        with transaction.atomic():
            # Uncompressed: the transport in this process takes bytes as they come.
            response = case.call(headers={**headers, "Accept-Encoding": "identity"})
            transaction.set_rollback(True)
        case.validate_response(response, checks=CHECKS)

    run()


WRONG_NUMBERS = ["x", "-1", "1.5", "", "1e3", "٣", "9" * 30, "0x1", "%00"]


def test_parameters_out_of_bounds_are_refused_in_words(world: Any, house: House) -> None:
    client, headers = Client(), bearer(world, world.ada)
    tried = 0
    for path, methods in document()["paths"].items():
        for parameter in methods.get("get", {}).get("parameters", ()):
            schema = parameter["schema"]
            if parameter["in"] != "query":
                continue
            wrong = WRONG_NUMBERS if schema["type"] == "integer" else ["%00", "%FF"]
            wrong = [*wrong, "x" * 30_000]
            if schema.get("type") == "boolean" or "enum" in schema:
                wrong += ["x", "", "TRUE"]
            for value in wrong:
                answer = client.get(f"{_filled(house, path)}?{parameter['name']}={value}", headers=headers)
                assert answer.status_code == 400, (path, parameter["name"], value, answer.content[:200])
                assert answer.json()["error"]["message"].endswith(".") or "no " in answer.json()["error"]["message"]
                tried += 1
    assert tried > 100


def test_bodies_of_other_kinds_are_refused_in_words(world: Any, house: House) -> None:
    client, headers = Client(), bearer(world, world.ada)
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            if "requestBody" not in operation:
                continue
            send = getattr(client, method)
            for body, kind, status in (
                ("{}", "text/plain", 415),
                ("a=1", "application/x-www-form-urlencoded", 415),
                ("[]", "application/json", 400),
                ('"x"', "application/json", 400),
                ("{", "application/json", 400),
                ('{"a": "\\u0000"}', "application/json", 400),
                ('{"a": NaN}', "application/json", 400),
                ("[" * 5000, "application/json", 400),
                (json.dumps({"a": "x" * 12 * 2**20}), "application/json", 413),
            ):
                answer = send(_filled(house, path), body, content_type=kind, headers=headers)
                assert answer.status_code == status, (method, path, body[:20], kind, answer.status_code)
                assert answer.json()["error"]["message"]
    answer = client.get(_filled(house, "/api/o/{org}/me/"), headers={**headers, "Accept": "text/html"})
    assert answer.status_code == 406
    assert answer.json()["error"]["message"]


def _filled(house: House, path: str) -> str:
    address = BY_TEMPLATE[path]
    return path.format(**{"org": "acme", **house.fill(address.name, address.converters)})
