"""The OpenAPI document: valid, complete, and with examples that are true."""

import importlib
import inspect
import json
import pkgutil

import pytest
from fastapi.openapi.models import OpenAPI
from pydantic import BaseModel

import api.schemas
from api.problems import KINDS, MEDIA_TYPE, PREFIX
from tests.api.world import BASE


@pytest.fixture
def document(http):
    return http.get("/openapi.json").json()


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def refs(node):
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from refs(value)
    elif isinstance(node, list):
        for value in node:
            yield from refs(value)


def test_the_document_is_openapi(document):
    OpenAPI.model_validate(document)
    assert document["openapi"].startswith("3.1")
    assert document["servers"] == [{"url": BASE}]


def test_every_reference_leads_somewhere(document):
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert set(refs(document)) <= known
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_every_operation_says_what_it_does_and_how_it_can_fail(document):
    tags = {tag["name"] for tag in document["tags"]}
    ids = []
    for name, operation in operations(document):
        ids.append(operation["operationId"])
        assert len(operation["tags"]) == 1, name
        assert operation["tags"][0] in tags, name
        assert operation["description"].endswith("."), name
        first = operation["description"].split("\n")[0]
        assert operation["summary"] == first.rstrip("."), name
        failures = {status for status in operation["responses"] if status[0] in "45"}
        if "/v1/" in name:
            assert {"503"} <= failures, name
            assert "401" in failures, name
        for status in failures:
            content = operation["responses"][status]["content"]
            assert set(content) == {MEDIA_TYPE}, (name, status)
            for kind, example in content[MEDIA_TYPE]["examples"].items():
                assert example["value"]["type"] == PREFIX + kind
                assert KINDS[kind][0] == int(status)
    assert len(set(ids)) == len(ids)


def test_tokens_are_asked_for_below_v1_but_for_webhooks(document):
    for name, operation in operations(document):
        open_to_all = "/v1/" not in name or "/v1/webhooks/" in name or "/v1/slack/" in name
        assert ("security" in operation) is not open_to_all, name


def models():
    for module in pkgutil.iter_modules(api.schemas.__path__, "api.schemas."):
        for _, model in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if issubclass(model, BaseModel) and model.__module__ == module.name:
                yield model


def exemplary():
    return [model for model in models() if "examples" in (model.model_config.get("json_schema_extra") or {})]


@pytest.mark.parametrize("model", exemplary())
def test_an_example_is_what_its_model_says(model):
    for example in model.model_config["json_schema_extra"]["examples"]:
        shown = json.loads(model.model_validate(example).model_dump_json(by_alias=True, exclude_unset=True))
        assert shown == example


def test_large_shapes_have_an_example():
    large = {"ReleaseOut", "ReleaseDetail", "ActionOut", "AnswerOut", "ServiceOut", "PlanOut", "StartIn", "ActionIn"}
    assert large <= {model.__name__ for model in exemplary()}


def test_paths_that_are_not_there_and_methods_that_do_not_fit_are_problems_too(http):
    for method, path, status, kind in (
        ("GET", "/nowhere", 404, "not-found"),
        ("GET", "/healthz/", 404, "not-found"),
        ("DELETE", "/healthz", 405, "method-not-allowed"),
        ("PUT", "/v1/webhooks/ci", 405, "method-not-allowed"),
    ):
        answer = http.request(method, path)
        assert (answer.status_code, answer.json()["type"]) == (status, PREFIX + kind)
        assert answer.headers["content-type"] == MEDIA_TYPE


def test_a_request_id_is_taken_over_made_or_replaced_and_always_sent_back(http):
    given = http.get("/healthz", headers={"X-Request-ID": "ci-912"})
    assert given.headers["x-request-id"] == "ci-912"
    made = http.get("/nowhere")
    assert made.headers["x-request-id"] == made.json()["request_id"]
    assert len(made.headers["x-request-id"]) == 32
    mad = http.get("/healthz", headers={"X-Request-ID": "a b\tc" + "x" * 200})
    assert len(mad.headers["x-request-id"]) == 32


def test_every_line_of_a_request_carries_its_id_and_who_it_was(http, logged):
    from tests.api.world import bearer

    http.get("/v1/releases", headers={"X-Request-ID": "ci-912", **bearer("vera")})
    (line,) = [one for one in logged if one["event"] == "request"]
    assert (line["request_id"], line["principal"], line["status"]) == ("ci-912", "vera", 200)


def test_a_fault_of_ours_is_a_problem_without_its_insides(http, world, monkeypatch, logged):
    from tests.api.world import bearer

    def broken(*_):
        raise KeyError("the insides")

    monkeypatch.setattr(type(world.ledger), "services", broken)
    answer = http.get("/v1/services", headers=bearer("vera"))
    assert (answer.status_code, answer.json()["type"]) == (500, PREFIX + "internal")
    assert "insides" not in answer.text
    (line,) = [one for one in logged if one["log_level"] == "error"]
    assert line["request_id"] == answer.json()["request_id"]
    logged.clear()
