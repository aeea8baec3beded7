"""The contracts cannot drift: what is committed beside them is what they say."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from appshield.contracts import MESSAGES, Message, decode, encode
from appshield.contracts.__main__ import main
from appshield.contracts.documents import (
    ELSEWHERE,
    GENERATED_FROM,
    documents,
    example,
    samples,
)
from appshield.contracts.runs import Progress
from appshield.planner import backing_up, restoring

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "contracts"
PAGE = (FOLDER / "README.md").read_text()
WRITTEN = PAGE.partition(GENERATED_FROM)[0]
SAMPLES = sorted((FOLDER / "samples").glob("*/*.json"))
MAKE = "run `uv run poe contracts` and read the difference"


@pytest.mark.parametrize("path", sorted(documents()))
def test_what_is_generated_is_committed(path: str) -> None:
    """Schemas and README change only together with the contracts, where a person reads it."""
    assert (FOLDER / path).read_text() == documents(PAGE)[path], MAKE


def test_what_people_wrote_about_the_flow_names_what_is_there() -> None:
    """Messages, modules and steps of the page's first part exist under these names."""
    quoted = set(re.findall(r"`([^`\n]+)`", WRITTEN)) | set(re.findall(r"\w+", WRITTEN))
    messages = {name for name in quoted if re.fullmatch(r"(?:[A-Z][a-z]+){2,}", name)}
    assert messages - {"AppShield", "JetStream"} <= {message.__name__ for message in MESSAGES}

    homes = [ROOT / part / "appshield" for part in ("contracts", "shared", "services")]
    modules = {name for name in quoted if name.endswith(".py")} - {"service.py", "settings.py"}
    assert len(modules) > 15
    assert not [name for name in modules if not any((home / name).exists() for home in homes)]


def test_the_flow_on_the_page_is_the_planners() -> None:
    """The page lists the steps of a backup and of a restore in the order that they have."""
    listed = re.findall(r"^(\w+) +(?:uploader|snapshotter|restorer) ", WRITTEN, re.MULTILINE)
    for flow in (backing_up, restoring):
        steps = (flow.__doc__ or "").partition(": ")[2].partition(".")[0]
        told = [re.match(r"\w+", step.strip()) for step in steps.split("─►")]
        names = [found.group() for found in told if found]
        assert len(names) > 4
        assert listed[: len(names)] == names
        del listed[: len(names)]
    assert not listed


def test_no_schema_is_left_of_a_message_that_is_gone() -> None:
    """Every committed schema belongs to a message."""
    names = {file.stem for file in (FOLDER / "schemas").iterdir()}
    assert names == {message.__name__ for message in MESSAGES}, MAKE


@pytest.mark.parametrize("path", sorted(samples()))
def test_every_message_has_a_sample(path: str) -> None:
    """A new message is remembered as it was first written."""
    assert (FOLDER / path).exists(), MAKE


@pytest.mark.parametrize("file", SAMPLES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_messages_of_every_version_stay_readable(file: Path) -> None:
    """What an older release wrote is decoded, and says the same when written again."""
    written = json.loads(file.read_text())
    message = decode(file.read_bytes())
    assert type(message).__name__ == file.stem
    assert _without_additions(json.loads(encode(message)), written) == written


def _without_additions(again: Any, written: Any) -> Any:
    """Leave out what was added since, at any depth: fields are only ever added."""
    if isinstance(again, dict) and isinstance(written, dict):
        return {name: _without_additions(again[name], old) for name, old in written.items()}
    if isinstance(again, list) and isinstance(written, list) and len(again) == len(written):
        return [_without_additions(new, old) for new, old in zip(again, written, strict=True)]
    return again


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.__name__)
def test_an_example_fits_its_schema(message: type[Message]) -> None:
    """Any tool that checks against the schema accepts what we write."""
    schema = json.loads((FOLDER / f"schemas/{message.__name__}.json").read_text())
    jsonschema_rs.validate(schema, json.loads(encode(example(message))))


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.__name__)
def test_unknown_fields_are_skipped(message: type[Message]) -> None:
    """A newer release may add fields; this one reads the message all the same."""
    body = json.loads(encode(example(message)))
    assert decode(json.dumps({**body, "added_later": {"a": 1}}).encode()) == example(message)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.__name__)
def test_a_message_says_what_it_is(message: type[Message]) -> None:
    """Frozen, tagged with its version and name, documented, with an identity."""
    config = message.__struct_config__
    assert config.frozen
    assert str(config.tag).startswith("appshield.v1.")
    assert (message.__doc__ or "").strip()
    assert message is Progress or example(message).message_id()  # progress is never stored


def test_tags_are_unique() -> None:
    """Two messages are never mistaken for each other."""
    tags = [message.__struct_config__.tag for message in MESSAGES]
    assert len(tags) == len(set(tags))


def test_what_travels_elsewhere_is_listed_as_a_message() -> None:
    """The list of exceptions names messages only."""
    assert set(ELSEWHERE) <= set(MESSAGES)


def test_the_command_writes_everything_and_keeps_samples(tmp_path: Path) -> None:
    """A second run changes nothing; a sample that is there is never replaced."""
    main(tmp_path)
    kept = tmp_path / "samples/v1/RunChanged.json"
    kept.write_text("kept")
    stale = tmp_path / "schemas/Forgotten.json"
    stale.write_text("{}")
    page = tmp_path / "README.md"
    page.write_text(f"# Written by people\n\n{page.read_text()}")
    main(tmp_path)
    assert page.read_text().startswith(f"# Written by people\n\n{GENERATED_FROM}\n\n|")
    assert kept.read_text() == "kept"
    assert not stale.exists()
    made = {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*") if file.is_file()}
    assert made == set(documents()) | set(samples())


def test_an_unknown_message_is_an_error_that_says_where() -> None:
    """Neither an unknown type nor broken JSON passes."""
    with pytest.raises(msgspec.ValidationError, match=r"\$\.type"):
        decode(b'{"type": "appshield.v1.nothing"}')
    with pytest.raises(msgspec.DecodeError):
        decode(b"nothing")
