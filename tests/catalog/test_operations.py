"""Which operations a definition is seen to have, whatever it looks like."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from catalog.asking.operations import MOST, NamedOperation, operations_of
from portal.kit.yamltext import load_all

DEMO = Path(__file__).resolve().parents[2] / "demo"

BLOCK = """\
openapi: 3.0.3
info:
  title: T
  paths: not these
paths:
  # a remark
  /payments/{id}:
    parameters:
      - name: id
        in: path
    get:
      summary: "Read: one"
      operationId: getPayment
      responses:
        '200':
          description: OK
          get: no method here
    delete: {}
  '/quoted':
    post:
      operationId: 'make'
  x-other: {}
components:
  schemas:
    get:
      type: object
"""


def test_block_style() -> None:
    assert operations_of(BLOCK) == [
        NamedOperation("GET", "/payments/{id}", "getPayment", "Read: one"),
        NamedOperation("DELETE", "/payments/{id}"),
        NamedOperation("POST", "/quoted", "make"),
    ]


def test_json_says_the_same_as_yaml() -> None:
    document = load_all(BLOCK, "x")[0].data
    assert operations_of(json.dumps(document)) == operations_of(BLOCK)


@pytest.mark.parametrize("file", sorted(DEMO.rglob("*-api*.yaml")), ids=lambda file: file.name)
def test_every_definition_of_the_demo_as_a_parser_reads_it(file: Path) -> None:
    text = file.read_text()
    paths = load_all(text, file.name)[0].data.get("paths") or {}
    read = {(method.upper(), path) for path, item in paths.items() for method in item if method != "parameters"}
    assert {(one.method, one.path) for one in operations_of(text)} == read
    assert read


@pytest.mark.parametrize(
    "text",
    [None, 5, "", "{", "{}", '{"openapi": 3, "paths": []}', '{"openapi": 3, "paths": {"/x": 5}}', "syntax = 'proto3';",
     "type Query { pay: Int }", "asyncapi: 2.0.0\npaths:\n  /x:\n    get:\n", "openapi: 3\npaths: {/x: {get: {}}}",
     "openapi: 3\npaths:\n" + "  " * 5_000 + "/x:\n", '{"openapi": ' + "[" * 100_000],
)  # fmt: skip
def test_anything_else_has_none(text: object) -> None:
    assert operations_of(text) == []


def test_a_huge_definition_is_cut() -> None:
    text = "openapi: 3.0.0\npaths:\n" + "".join(f"  /p{n}:\n    get:\n      summary: x\n" for n in range(50_000))
    assert len(operations_of(text)) == MOST
