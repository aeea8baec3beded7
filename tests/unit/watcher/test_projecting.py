"""What is remembered of an object: what rules name, no secrets, nothing that is only noted."""

import base64
from typing import Any

import pytest

from appshield.contracts.applications import Protection
from appshield.language.expression_errors import UndecidedError
from appshield.watcher.projecting import LONG_CHARACTERS, matches, meaning, project, reads_of

KEY = b"key"
WEB: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "shop", "resourceVersion": "7", "generation": 3},
    "spec": {"replicas": 1, "template": {"spec": {"containers": [{"image": "web:1"}]}}},
    "status": {"readyReplicas": 1},
}


def _projected(obj: dict[str, Any], when: str = "", key: bytes = KEY) -> dict[str, object]:
    rule = Protection(name="rule", trigger="change", change_of=("deployments",), when=when)
    return project(obj, reads_of(rule), key)


def test_only_what_the_expression_names_is_kept() -> None:
    """At its place, so that the expression finds it; and nothing of what is not there."""
    when = "new.spec.template != old.spec.template || has(new.spec.paused) || 'a' in new.data"
    assert _projected(WEB, when) == {"spec": {"template": WEB["spec"]["template"]}}


def test_an_object_that_is_only_asked_whether_it_is_there_needs_nothing() -> None:
    """New and gone are known without any of its content."""
    assert _projected(WEB, "old == null || new == null") == {}
    assert matches("new == null", {}, None)
    assert not matches("old == null", {}, None)


def test_without_an_expression_all_counts_but_status_and_notes_of_the_server() -> None:
    """A new version of the object alone is no change."""
    later = {**WEB, "status": {}, "metadata": {**WEB["metadata"], "resourceVersion": "8"}}
    assert _projected(WEB) == _projected(later)
    assert _projected(WEB) != _projected({**WEB, "spec": {"replicas": 2}})


@pytest.mark.parametrize("when", ["", "new.data.password != old.data.password", "new != old"])
def test_secrets_are_kept_as_digests_with_a_key(when: str) -> None:
    """Neither their content nor the copy of it that kubectl leaves; another key, another digest."""
    text = base64.b64encode(b"hunter2").decode()
    copied = f'{{"data":{{"password":"{text}"}}}}'
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": "s",
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": copied},
        },
        "data": {"password": text},
        "stringData": {"password": "hunter2"},
    }
    kept = _projected(secret, when)
    assert text not in str(kept)
    assert "hunter2" not in str(kept)
    assert kept != _projected({**secret, "data": {"password": "other"}}, when)
    assert kept != _projected(secret, when, key=b"another")


def test_long_texts_are_compared_by_digest() -> None:
    """A certificate or a script takes no more room than it must."""

    def config(text: str) -> dict[str, object]:
        return _projected({"kind": "ConfigMap", "data": {"a": text}}, "new.data.a != old.data.a")

    long = "x" * (LONG_CHARACTERS + 1)
    assert len(str(config(long))) < 200
    assert matches("new.data.a != old.data.a", config(long), config(long + "y"))


def test_what_has_no_answer_is_told_so() -> None:
    """A field that is not there before or after is no change that a rule waits for."""
    with pytest.raises(UndecidedError):
        matches("new.spec.replicas != old.spec.replicas", {}, {"spec": {"replicas": 1}})


def test_a_rule_means_the_same_until_its_words_or_its_objects_are_others() -> None:
    """Other rules, names and retention do not matter."""
    rule = Protection(name="rule", trigger="change", change_of=("deployments",), when="new == null")
    same = Protection(
        name="other", trigger="change", change_of=("deployments",), when="new == null"
    )
    assert meaning(rule, ["shop"]) == meaning(same, ["shop"])
    assert meaning(rule, ["shop"]) != meaning(rule, ["other"])
    assert meaning(rule, ["shop"]) != meaning(
        Protection(name="rule", trigger="change", change_of=("services",), when="new == null"),
        ["shop"],
    )
