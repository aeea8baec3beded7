"""The custom resource definitions: structural, described, and as committed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from ruamel.yaml import YAML

from appshield.language.admission import admission_objects
from appshield.language.crd_rules import RULES
from appshield.language.crds import crds
from appshield.language.reading import read_documents
from appshield.language.write_crds import main, rendered

ROOT = Path(__file__).parents[3]
DOCUMENTS = Path(__file__).parent / "documents"
WRITTEN = ("crds", "admission", "roles")
FORBIDDEN = {"$ref", "$defs", "anyOf", "oneOf", "allOf", "not", "const", "definitions"}


def _schemas(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from _schemas(inner, f"{path}.{name}")
    for part in ("items", "additionalProperties"):
        if isinstance(schema.get(part), dict):
            yield from _schemas(schema[part], f"{path}[]")


def _every_schema() -> list[tuple[str, dict[str, Any]]]:
    found: list[tuple[str, dict[str, Any]]] = []
    for crd in crds():
        for version in crd["spec"]["versions"]:
            root = version["schema"]["openAPIV3Schema"]
            found += _schemas(root, crd["spec"]["names"]["kind"])
    return found


def test_the_committed_definitions_are_those_of_the_types(tmp_path: Path) -> None:
    """`poe crds` was run after the last change of a type."""
    main(tmp_path)
    assert rendered() == _files(ROOT / "deploy") == _files(tmp_path)


def _files(folder: Path) -> dict[str, str]:
    found = [file for kind in WRITTEN for file in folder.glob(f"{kind}/*.yaml")]
    return {str(path.relative_to(folder)): path.read_text() for path in found}


def test_a_committed_file_reads_back_as_the_definition_in_yaml_1_1_and_1_2() -> None:
    """YAML 1.1 is what kubectl reads, where an unquoted `on` would be the key `true`."""
    for text in rendered().values():
        assert "&id" not in text
    for crd in crds():
        text = rendered()[f"crds/{crd['spec']['names']['plural']}.yaml"]
        assert yaml.safe_load(text) == crd
        assert YAML(typ="safe", pure=True).load(text) == crd
    policies = yaml.safe_load_all(rendered()["admission/policies.yaml"])
    assert tuple(policies) == admission_objects()


@pytest.mark.parametrize(("path", "schema"), _every_schema(), ids=lambda value: str(value)[:60])
def test_every_schema_is_structural_and_described(path: str, schema: dict[str, Any]) -> None:
    """The API server refuses references and unions, and `kubectl explain` shows descriptions."""
    assert not FORBIDDEN & schema.keys()
    assert "type" in schema
    described = schema["type"] == "object" or not path.endswith("]")
    if described and not path.endswith(".metadata"):
        assert schema.get("description"), path


@pytest.mark.parametrize("name", ["shop", "policy", "vault", "small"])
def test_what_the_reader_accepts_the_schema_accepts(name: str) -> None:
    """Both come from the same types."""
    (read,) = read_documents((DOCUMENTS / f"{name}.yaml").read_text(), name)
    by_kind = {crd["spec"]["names"]["kind"]: crd for crd in crds()}
    crd = by_kind[type(read.resource).__name__]
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    jsonschema_rs.validate(schema, read.object)


def test_kubectl_shows_what_people_look_for() -> None:
    """As `kubectl get apps.appshield.io` does: health, version, its age, and the RPO."""
    application, *others = crds()
    names = application["spec"]["names"]
    assert (names["shortNames"], names["plural"]) == (["asapp", "apps"], "applications")
    (version,) = application["spec"]["versions"]
    assert version["subresources"] == {"status": {}}
    columns = {column["name"]: column["jsonPath"] for column in version["additionalPrinterColumns"]}
    assert columns["Health"] == ".status.health"
    assert columns["Version"] == ".status.lastVersion"
    assert columns["Backup"] == ".status.lastBackupAt"
    assert columns["RPO"] == ".status.rpo"
    assert application["spec"]["scope"] == "Namespaced"
    scopes = {crd["spec"]["names"]["kind"]: crd["spec"]["scope"] for crd in others}
    assert scopes == {
        "Policy": "Cluster",
        "Profile": "Cluster",
        "Vault": "Cluster",
        "Backup": "Namespaced",
        "Restore": "Namespaced",
    }


def test_every_kind_has_a_short_name_of_its_own_columns_and_conditions() -> None:
    """Each begins with `as`, so that none of another project is meant instead."""
    short = [name for crd in crds() for name in crd["spec"]["names"]["shortNames"]]
    assert len(short) == len(set(short))
    assert all(crd["spec"]["names"]["shortNames"][0].startswith("as") for crd in crds())
    for crd in crds():
        (version,) = crd["spec"]["versions"]
        assert version["additionalPrinterColumns"][-1]["name"] == "Age"
        conditions = _status(version)["conditions"]
        assert conditions["x-kubernetes-list-map-keys"] == ["type"]


@pytest.mark.parametrize("kind", ["Backup", "Restore"])
def test_a_wish_says_what_became_of_it(kind: str) -> None:
    """Phase, run, progress and version, with the times of beginning and end."""
    crd = next(crd for crd in crds() if crd["spec"]["names"]["kind"] == kind)
    status = _status(crd["spec"]["versions"][0])
    wanted = {"phase", "run", "progress", "version", "message", "startedAt", "completedAt"}
    assert wanted <= status.keys()


def test_every_rule_stands_in_a_definition() -> None:
    """A type that was renamed would silently lose its rules."""
    text = str(crds())
    assert [
        rule.rule for rules in RULES.values() for rule in rules if repr(rule.rule) not in text
    ] == []


def _status(version: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = version["schema"]["openAPIV3Schema"]["properties"]["status"]
    return dict(found["properties"])
