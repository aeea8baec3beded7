"""What may be told of the words of a hook: why it failed, without what it was trusted with. Pure.

A hook's standard error is the application's own text. A person needs it to see why the hook
failed, so its end goes into the failure of the run; a failure travels on the bus and lies in logs,
so what the application holds as a secret is hidden in it first:

- every value of its Secrets, each line of it, and the same in base64;
- every value that its pod templates set in an environment variable;
- every word of its hooks' commands, but for absolute paths, long options and the programs that a
  shell is told to run.

Where a Secret was changed after the container started, nothing of it is told at all
(`podvolumes.rotated`): the container may print what no object says any more.

What else a command prints (the row that it chokes on, say) is its own affair: a hook must not print
content. Words of fewer than `_SHORTEST_WORD` letters, and secrets of fewer than `_SHORTEST_SECRET`,
stay: hiding them would leave nothing to read.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

from appshield.capture.captured import CapturedComponent, Object
from appshield.manifests.workloads import CONTAINER_LISTS, pod_template

HIDDEN = "[hidden]"
TOLD_CHARACTERS_MAX = 400
_SHORTEST_SECRET = 4
_SHORTEST_WORD = 8
_SHELLS = frozenset({"sh", "ash", "bash", "dash", "ksh", "zsh"})
_NOT_SECRET = ("/", "./", "../", "--")
_PROGRAM = re.compile(r"(?:^|[;|&(\n]|\b(?:do|else|exec|if|then|while)\b)\s*([\w.+-]+)")
_BETWEEN_WORDS = re.compile(r"[\s'\"`=:@,;|&<>(){}\[\]$]+")


class Discretion:
    """Knows what an application holds as a secret, and hides it."""

    def __init__(self, secrets: Iterable[str]) -> None:
        # longest first: a secret that is a part of another must not break it up
        self._secrets = sorted(set(secrets), key=lambda secret: (-len(secret), secret))

    @classmethod
    def of(cls, objects: Iterable[Object], components: Iterable[CapturedComponent]) -> "Discretion":
        """Learn from the objects of an application and from the hooks of its components."""
        found = list(_in_hooks(components))
        for obj in objects:
            found += _in_secret(obj) if obj.get("kind") == "Secret" else _in_templates(obj)
        return cls(found)

    def told(self, words: str) -> str:
        """Return the end of `words`, the secrets in it hidden.

        They are hidden before the end is cut off, which may begin in the middle of one.
        """
        for secret in self._secrets:
            words = words.replace(secret, HIDDEN)
        return words.strip()[-TOLD_CHARACTERS_MAX:]


def _in_secret(obj: Object) -> Iterator[str]:
    for encoded in (obj.get("data") or {}).values():
        try:
            plain = base64.b64decode(encoded).decode()
        except (binascii.Error, ValueError):
            yield from _long_enough((str(encoded),), _SHORTEST_SECRET)
            continue
        yield from _forms_of(plain)
    for plain in (obj.get("stringData") or {}).values():
        yield from _forms_of(str(plain))


def _in_templates(obj: Object) -> Iterator[str]:
    template = pod_template(obj)
    spec: dict[str, Any] = template.spec if template else {}
    for containers in CONTAINER_LISTS:
        for container in spec.get(containers) or []:
            for variable in container.get("env") or []:
                yield from _forms_of(str(variable.get("value") or ""))


def _in_hooks(components: Iterable[CapturedComponent]) -> Iterator[str]:
    for part in components:
        for hook in (part.quiesce, part.resume, part.dump, part.load):
            if hook is not None:
                yield from _long_enough(_in_command(hook.command), _SHORTEST_WORD)


def _in_command(command: tuple[str, ...]) -> Iterator[str]:
    is_shell = command[0].rpartition("/")[2] in _SHELLS
    for before, argument in pairwise(command):
        is_script = is_shell and before == "-c"
        programs = set(_PROGRAM.findall(argument)) if is_script else set()
        for word in _BETWEEN_WORDS.split(argument):
            if word in programs or word.startswith(_NOT_SECRET):
                continue
            yield word
            if word.startswith("-"):
                yield word[2:]  # the value of a short option: -pSECRET


def _forms_of(value: str) -> Iterator[str]:
    pieces = [value, *value.splitlines()]
    yield from _long_enough((piece.strip() for piece in pieces), _SHORTEST_SECRET)
    if len(value) >= _SHORTEST_SECRET:
        yield base64.b64encode(value.encode()).decode()


def _long_enough(words: Iterable[str], shortest: int) -> Iterator[str]:
    return (word for word in words if len(word) >= shortest)
