"""Settings are typed values, read once from the environment, all errors at once.

A group is a msgspec struct; its prefix makes misspelt names visible. Values are text in the
environment and become the field's type: numbers, `true`/`false`, paths, lists by comma.
"""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from appshield.errors import InvalidInputError
from appshield.service.logs import LogFormat

T = TypeVar("T", bound=msgspec.Struct)


class ServiceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What every service needs to run.

    `nats_seed_file` holds the nkey of the service's user of the bus (empty: the bus asks for
    none). `cluster` is the name under which this cluster is known on the bus. A service stops
    within `stop_deadline_s`; `concurrency` bounds the messages in hand.
    """

    nats_url: str
    nats_seed_file: str = ""
    nats_ca_file: str = ""
    cluster: str
    health_host: str = "127.0.0.1"
    health_port: int = 0
    stop_deadline_s: float = 20
    concurrency: int = 8
    log_format: LogFormat = "json"
    log_level: Literal["debug", "info", "warning", "error"] = "info"


def read_settings(group: type[T], environment: Mapping[str, str], prefix: str) -> T:
    """Read `group` from the variables that start with `prefix` (such as `APPSHIELD_UPLOADER_`).

    Raises:
        InvalidInputError: lists every variable that is unknown, missing or wrong.
    """
    given = {
        name.removeprefix(prefix).lower(): text
        for name, text in environment.items()
        if name.startswith(prefix)
    }
    fields = {field.name: field for field in msgspec.structs.fields(group)}
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name, text in given.items():
        if name not in fields:
            problems.append(_unknown(name, tuple(fields), prefix))
            continue
        try:
            values[name] = _convert(text, fields[name].type)
        except (msgspec.ValidationError, ValueError) as error:
            problems.append(f"{prefix}{name.upper()}={text!r}: {error}")
    problems += [
        f"{prefix}{name.upper()} is missing"
        for name, field in fields.items()
        if field.required and name not in given
    ]
    if problems:
        raise InvalidInputError(
            "the settings cannot be used",
            why="; ".join(problems),
            next_step="Correct these environment variables and start again.",
        )
    return group(**values)


def _convert(text: str, wanted: Any) -> Any:  # noqa: ANN401  any type that a field may have
    if _is_list(wanted):
        return msgspec.convert([part.strip() for part in text.split(",") if part.strip()], wanted)
    return msgspec.convert(text, wanted, strict=False, dec_hook=_path)


def _path(wanted: type, text: Any) -> Any:  # noqa: ANN401  msgspec's own signature
    if wanted is Path:
        return Path(text)
    raise TypeError(f"settings hold no {wanted.__name__}")


def _is_list(wanted: object) -> bool:
    return getattr(wanted, "__origin__", None) in {list, tuple}


def _unknown(name: str, known: tuple[str, ...], prefix: str) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {prefix}{close[0].upper()}?" if close else ""
    return f"{prefix}{name.upper()} is unknown{hint}"
