"""Manifests are compared field by field, and no secret is ever shown."""

import base64
import json

from appshield.capture import Discretion
from appshield.capture.captured import Object
from appshield.capture.differing import object_differences

PASSWORDS = ("correct-horse", "battery-staple")


def secret(password: str, **more: str) -> Object:
    data = {"password": base64.b64encode(password.encode()).decode(), **more}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "data": data}


def web(replicas: int, password: str, *, image: str = "web:1") -> Object:
    container = {"name": "web", "image": image, "env": [{"name": "PASSWORD", "value": password}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"replicas": replicas, "template": {"spec": {"containers": [container]}}},
    }


def told(before: Object, after: Object, key: bytes = b"k") -> list[str]:
    objects = [before, after, *(secret(password) for password in PASSWORDS)]
    discretion = Discretion.of(objects, ())
    return object_differences(before, after, discretion=discretion, key=key)


def test_fields_are_told_with_both_values() -> None:
    """By pointer, and what came or went as that."""
    before, after = web(1, "x", image="web:1"), web(2, "x", image="web:2")
    after["metadata"]["labels"] = {"a": "b"}
    assert told(before, after) == [
        "/metadata/labels/a: added b",
        "/spec/replicas: 1 -> 2",
        "/spec/template/spec/containers/0/image: web:1 -> web:2",
    ]
    assert told(after, after) == []


def test_values_of_a_secret_are_digests_that_nobody_can_compare_later() -> None:
    """The same value has the same digest within one comparison only."""
    before, after = (secret(password) for password in PASSWORDS)
    [line] = told(before, after)
    assert line.startswith("/data/password: (digest ")
    assert line not in told(before, after, key=b"another")
    assert len(line.split("digest ")) == 3


def test_no_secret_is_shown_wherever_it_occurs() -> None:
    """In Secrets, in other objects that repeat it, in whole parts that came or went."""
    one, other = PASSWORDS
    pairs = [
        (secret(one), secret(other)),
        (secret(one), {**secret(one), "data": {}}),
        ({**secret(one), "data": None}, secret(other, token="dG9rZW4tb2YtdGhlLXNob3A=")),
        (secret(one), {**secret(other), "stringData": {"password": other}}),
        (web(1, one), web(1, other)),
        (web(1, one), {**web(1, one), "spec": None}),
    ]
    hidden = [*PASSWORDS, *(base64.b64encode(one.encode()).decode() for one in PASSWORDS)]
    for before, after in pairs:
        text = json.dumps(told(before, after))
        assert text != "[]"
        assert [word for word in hidden if word in text] == []
