"""Documents that are right, and the limits of what is read at all."""

import contextlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appshield.language.kinds import Application, Policy, Profile, Resource, Vault, document
from appshield.language.object_reading import read_object
from appshield.language.problems import DocumentError
from appshield.language.profiles import shipped_profiles
from appshield.language.reading import read_documents, read_text
from appshield.language.resolving import resolve, resolve_policy, resolve_vault
from appshield.language.yaml_source import DEPTH_MAX, SIZE_MAX_BYTES
from language_documents import as_data

DOCUMENTS = Path(__file__).parent / "documents"
EXAMPLES = Path(__file__).parents[3] / "contracts" / "language" / "examples"
HEAD = "apiVersion: appshield.io/v1alpha1\nkind: Application\nmetadata: {name: shop}\n"


def _text(name: str) -> str:
    return (DOCUMENTS / f"{name}.yaml").read_text()


def _application(text: str) -> Application:
    (read,) = read_documents(text, "a.yaml")
    assert isinstance(read.resource, Application)
    return read.resource


def _refused(text: str | bytes) -> str:
    with pytest.raises(DocumentError) as caught:
        read_documents(text, "a.yaml")
    return str(caught.value)


def test_several_documents_of_one_file_know_where_they_begin() -> None:
    """Every kind can stand in one file, also with empty documents between."""
    text = f"{_text('shop')}---\n---\n{_text('policy')}---\n{_text('vault')}"
    read = read_documents(text, "all.yaml")
    assert [type(one.resource) for one in read] == [Application, Policy, Vault]
    lines = text.splitlines()
    assert all(lines[one.line - 1].startswith("apiVersion") for one in read)


@pytest.mark.parametrize("name", ["shop", "small", "application", "triggers"])
def test_an_application_resolves_to_the_committed_model(name: str) -> None:
    """The resolved model of a document changes only together with its golden copy."""
    example = EXAMPLES / f"{name}.yaml"
    text = example.read_text() if example.exists() else _text(name)
    resolved = as_data(resolve(_application(text)))
    golden = json.loads((DOCUMENTS / f"{name}.resolved.json").read_text())
    assert golden == resolved


@pytest.mark.parametrize("name", ["policy", "vault"])
def test_a_policy_and_a_vault_resolve_to_the_committed_model(name: str) -> None:
    """With every reaction, verification, alert, lock and secret that the examples write."""
    read = read_documents((EXAMPLES / f"{name}.yaml").read_text(), name)
    golden = json.loads((DOCUMENTS / f"{name}.resolved.json").read_text())
    assert golden == [_resolved(one.resource) for one in read]


def test_a_component_resolves_by_a_profile_of_ones_own_to_the_committed_model() -> None:
    """Each value with its origin; what the profile says of health is not for versions."""
    (read,) = read_documents((EXAMPLES / "profile.yaml").read_text(), "profile.yaml")
    assert isinstance(read.resource, Profile)
    profiles = shipped_profiles().with_own([read.resource])
    spec = "spec: {type: database/acme, components: [{name: db, workload: {kind: A, name: db}}]}"
    resolved = as_data(resolve(_application(f"{HEAD}{spec}"), profiles))
    golden = json.loads((DOCUMENTS / "profile.resolved.json").read_text())
    assert golden == resolved["components"]


def _resolved(resource: Resource) -> dict[str, Any]:
    assert isinstance(resource, Policy | Vault)
    return as_data(
        resolve_policy(resource) if isinstance(resource, Policy) else resolve_vault(resource)
    )


def test_a_vault_resolves_without_slashes_around_its_names() -> None:
    """Keys of objects are joined from parts, so parts have no slashes at their ends."""
    (read,) = read_documents(_text("vault"), "vault.yaml")
    assert isinstance(read.resource, Vault)
    resolved = resolve_vault(read.resource)
    assert (resolved.endpoint, resolved.prefix) == ("https://s3.example.org", "team/shop")
    assert (resolved.region, resolved.addressing, resolved.read_only) == (
        "us-east-1",
        "path",
        False,
    )


@pytest.mark.parametrize("name", ["shop", "policy", "vault", "small"])
def test_a_document_survives_the_way_to_the_api_server_and_back(name: str) -> None:
    """What was read from a file, written as JSON and read as an object is the same."""
    (read,) = read_documents(_text(name), "a.yaml")
    answered = json.loads(json.dumps(read.object))
    answered["metadata"] |= {"managedFields": [{"manager": "x"}], "creationTimestamp": "2026-01-01"}
    answered["status"] = {"anything": 1}
    assert read.resource == read_object(answered)
    (again,) = read_documents(json.dumps(read.object), "a.json")
    assert read.resource == again.resource


def test_what_kubectl_makes_of_an_unquoted_on_is_taken_for_on() -> None:
    """YAML 1.1 reads the key `on` as true; the document means the same all the same."""
    resource = _application(_text("shop"))
    sent = document(resource)
    for rule in sent["spec"]["protect"]:
        rule["true"] = rule.pop("on")
    assert resource == read_object(sent)


def test_texts_that_yaml_1_1_would_change_stay_as_they_are() -> None:
    """In YAML 1.2 only true and false are booleans, and 0o12 is the octal number."""
    spec = "spec:\n  components:\n    - name: db\n      workload: {kind: Job, name: db}\n"
    hook = "      resume: {command: [on, no, y, 1:30, '010', 2026-01-01, a=b, =, <<]}\n"
    command = _application(HEAD + spec + hook).spec.components[0].resume
    assert command is not None
    assert command.command == ("on", "no", "y", "1:30", "010", "2026-01-01", "a=b", "=", "<<")


def test_a_pair_of_escapes_is_the_character_that_json_means_by_it() -> None:
    """Many programs write JSON with nothing but ASCII in it; half of a pair stays an error."""
    text = HEAD + 'spec: {type: "\\ud83d\\ude00"}\n'
    assert _application(text).spec.type == "\U0001f600"
    assert "half of a character" in _refused(HEAD + 'spec: {type: "\\ud83d"}\n')


def test_documents_of_other_groups_are_told_apart_from_ours() -> None:
    """What is nearly our group is a mistake; everything else is somebody else's."""
    other = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n"
    near = "apiVersion: appsheild.io/v1alpha1\nkind: Application\n"
    reading = read_text(f"{other}---\n{_text('small')}---\n{near}", "a.yaml")
    assert [one.object["kind"] for one in reading.foreign] == ["Deployment"]
    assert len(reading.documents) == 1
    (error,) = reading.errors
    assert (error.line, error.field) == (10, "apiVersion")
    assert "is not AppShield's" in _refused(other)


def test_an_alias_stands_for_the_value_it_names() -> None:
    """Anchors are useful between rules, and count as what they stand for."""
    text = (
        f"{HEAD}spec:\n  protect:\n    - {{name: a, on: {{rpo: 1h}}, keep: &k {{last: 3}}}}\n"
        "    - {name: b, on: {rpo: 2h}, keep: *k}\n"
    )
    first, second = _application(text).spec.protect
    assert first.keep == second.keep


def test_bytes_with_a_mark_of_order_and_other_line_breaks_are_read() -> None:
    """Files of other systems are files too."""
    read = read_documents(b"\xef\xbb\xbf" + _text("shop").replace("\n", "\r\n").encode(), "a.yaml")
    assert read_documents(_text("shop"), "a.yaml") == read


def test_a_file_above_one_mebibyte_is_refused_before_it_is_parsed() -> None:
    """Size is looked at first."""
    assert "is the most" in _refused(HEAD + "#" * SIZE_MAX_BYTES)


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_deep_nesting_is_refused_where_it_becomes_too_deep(opening: str) -> None:
    """Half a million brackets take no time and no stack."""
    assert f"at most {DEPTH_MAX} levels" in _refused(opening * (500_000 // len(opening)))


def test_an_anchor_bomb_is_refused_by_what_it_would_become() -> None:
    """Nine levels of nine aliases would be four hundred million values."""
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    assert "one value too many" in _refused("\n".join(lines))


def test_aliases_that_nest_are_refused_by_the_depth_they_would_have() -> None:
    """A chain of aliases is as deep as what it stands for."""
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 100)]
    assert "nested too deep" in _refused("\n".join(lines))


def test_many_values_are_refused_at_the_first_that_is_too_many() -> None:
    """A large list is not read to its end."""
    assert "one value too many" in _refused("[" + "1," * 100_000 + "]")


@pytest.mark.parametrize(
    "data",
    [b"\xff\xfe\x00", "a: b".encode("utf-16"), b"a: \xe4", "\ud800", b"a\x00b", "\x07"],
    ids=["bytes", "UTF-16", "Latin-1", "a lone surrogate", "NUL", "a control character"],
)
def test_what_is_no_text_is_refused_in_one_line(data: str | bytes) -> None:
    """Other encodings and control characters are named."""
    assert len(_refused(data).splitlines()) == 1


def test_errors_beyond_a_hundred_are_counted_and_not_listed() -> None:
    """A message stays readable however wrong the file is."""
    message = _refused(HEAD + "spec:\n" + "".join(f"  field{n}: 1\n" for n in range(500)))
    assert len(message.splitlines()) == 101
    assert message.endswith("and 400 more problems")


WORDS = """spec kind on : - { } [ ] , ' " &a *a | > !!int ! --- ... # ? \\ << 0x 1e9 null true @ `
Application appshield.io/v1alpha1 %YAML"""
PIECES = st.sampled_from([*WORDS.split(), "\n", "  ", ": ", "- ", "\t", "\ufeff", "\x85", "\u2028"])


@settings(max_examples=400, deadline=2000)
@given(st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=40).map("".join)))
def test_any_text_is_read_or_refused_and_nothing_else_happens(text: str) -> None:
    """No text makes anything but documents or a DocumentError."""
    with contextlib.suppress(DocumentError):
        assert read_documents(text, "a.yaml")


@settings(max_examples=200, deadline=2000)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """No bytes make anything but documents or a DocumentError."""
    with contextlib.suppress(DocumentError):
        assert read_documents(data, "a.yaml")


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@st.composite
def _damaged(draw: st.DrawFn) -> object:
    """The whole document of the shop with any value put somewhere into it."""
    (read,) = read_documents(_text(draw(st.sampled_from(["shop", "policy", "vault"]))), "a.yaml")
    root: Any = {"document": read.object}
    owner: Any = root
    key: Any = "document"
    for _ in range(draw(st.integers(0, 7))):
        inner = owner[key]
        if not isinstance(inner, dict | list) or not inner:
            break
        owner = inner
        key = draw(st.sampled_from(sorted(owner) if isinstance(owner, dict) else range(len(owner))))
    owner[key] = draw(JSON)
    return root["document"]


@pytest.mark.parametrize("value", [[], {}, ["dump"], {"dump": 1}, 1, None])
def test_a_list_where_a_word_is_expected_is_refused(value: object) -> None:
    """A value that cannot even be looked up in a set of words is an error like any other."""
    component = {
        "name": "db",
        "workload": {"kind": "StatefulSet", "name": "db"},
        "strategy": value,
    }
    requirement = {"key": "app", "operator": value}
    selector = {"matchExpressions": [requirement]}
    spec = {"components": [component], "resources": {"selector": selector}}
    data = {
        "apiVersion": "appshield.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "shop", "namespace": "shop"},
        "spec": spec,
    }
    with pytest.raises(DocumentError, match="operator"):
        read_object(data)


@settings(max_examples=400, deadline=2000)
@given(_damaged())
def test_any_damaged_object_is_read_or_refused(data: object) -> None:
    """Whatever stands in one place, the answer is a document or a DocumentError."""
    if not isinstance(data, dict):
        return
    with contextlib.suppress(DocumentError):
        resource = read_object(data)
        if isinstance(resource, Application):
            assert msgspec.json.encode(resolve(resource))
