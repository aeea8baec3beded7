"""Any document that the types allow: it is read, resolved, written and read again, the same."""

import json
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appshield.language.crds import crds
from appshield.language.json_schema import schema_of_all
from appshield.language.kinds import KINDS, Application, Policy, Vault, document
from appshield.language.object_reading import read_object
from appshield.language.reading import read_documents
from appshield.language.resolving import (
    resolve,
    resolve_policy,
    resolve_vault,
    revision,
)
from language_documents import as_data, documents

SCHEMAS = {
    crd["spec"]["names"]["kind"]: crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for crd in crds()
}
EDITOR = jsonschema_rs.validator_for(schema_of_all())
SOME = settings(max_examples=60, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("kind", list(KINDS))
def test_any_document_is_the_same_after_any_way(kind: str) -> None:
    """As an object, as JSON in a line and over many, and as what the API server gives back."""

    @SOME
    @given(documents(kind))
    def check(data: dict[str, Any]) -> None:
        resource = read_object(data)
        written = document(resource)
        assert read_object(written) == resource
        for text in (json.dumps(written), json.dumps(written, indent=2, ensure_ascii=False)):
            (again,) = read_documents(_readable(text), "a.json")
            assert again.resource == resource
        assert revision(read_object(written).spec) == revision(resource.spec)

    check()


@pytest.mark.parametrize("kind", list(KINDS))
def test_any_document_fits_the_schemas(kind: str) -> None:
    """The one in the cluster and the one for editors."""

    @SOME
    @given(documents(kind))
    def check(data: dict[str, Any]) -> None:
        jsonschema_rs.validate(SCHEMAS[kind], data)
        EDITOR.validate(data)

    check()


@SOME
@given(st.one_of(documents("Application"), documents("Policy"), documents("Vault")))
def test_any_document_resolves_to_a_model_that_can_be_written_down(data: dict[str, Any]) -> None:
    """The order of its fields changes nothing."""
    resource = read_object(data)
    turned = read_object(_turned(data))
    if isinstance(resource, Application) and isinstance(turned, Application):
        assert json.loads(json.dumps(as_data(resolve(resource)))) == as_data(resolve(turned))
    elif isinstance(resource, Policy) and isinstance(turned, Policy):
        assert as_data(resolve_policy(resource)) == as_data(resolve_policy(turned))
    elif isinstance(resource, Vault) and isinstance(turned, Vault):
        assert msgspec.json.encode(resolve_vault(resource)) == msgspec.json.encode(
            resolve_vault(turned)
        )


def _turned(value: Any) -> Any:
    """Return the same data with the fields of every mapping in the opposite order."""
    if isinstance(value, dict):
        return {name: _turned(value[name]) for name in reversed(value)}
    return [_turned(item) for item in value] if isinstance(value, list) else value


def _readable(text: str) -> str:
    """Write the few characters that YAML forbids as JSON escapes, as every tool does."""
    return "".join(
        letter
        if letter.isprintable() or letter in "\n"
        else f"\\u{ord(letter):04x}"
        if ord(letter) < 0x10000
        else letter
        for letter in text
    )
