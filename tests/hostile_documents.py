"""Documents that mean no good, and a program that reads each within the limits that are promised.

Run as a process of its own: a document that takes too long or too much memory ends it, and the last
line of its output names the document.
"""

import random
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from appshield.language.problems import DocumentError
from appshield.language.reading import read_documents
from appshield.language.yaml_source import SIZE_MAX_BYTES

TIME_MAX_S = 2.0
"""Processor time for one document, however large."""
MEMORY_MAX_BYTES = 256 << 20
MUTATIONS = 60

HEAD = b"apiVersion: appshield.io/v1alpha1\nkind: Application\nmetadata: {name: shop}\nspec:\n"
_ROOM = SIZE_MAX_BYTES - len(HEAD) - 64
_PIECES = (
    *(b"\t", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\r", b"\x85", b"\xe2\x80\xa8"),
    *(b"&a ", b"*a", b"<<: *a\n", b"!!python/object:os.system ", b"%YAML 9.9\n---\n", b"---\n"),
    *(b"- " * 70, b"[" * 70, b"{a: " * 70, b"? ", b": ", b"| \n", b">+9\n", b'"', b"'", b"#"),
    *(b"9" * 400, b"-0x" + b"f" * 40, b".inf", b"1e999", b"null", b"true", b"~", b"..."),
)


def hostile(examples: list[bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield documents by name: each way to be too much, then good ones that were damaged."""
    yield from _large()
    yield from _bombs()
    yield from _encodings()
    chance = random.Random(4711)
    for number in range(MUTATIONS):
        yield f"mutation {number}", _damaged(chance.choice(examples), chance)


def _large() -> Iterator[tuple[str, bytes]]:
    yield "nothing", b""
    yield "one byte too many", HEAD + b"#" * SIZE_MAX_BYTES
    yield "many comments", HEAD + b"  #\n" * (_ROOM // 4)
    yield "line breaks", HEAD + b"\n" * _ROOM
    yield "a plain text", HEAD + b"  type: " + b"x" * _ROOM
    yield "a plain text of words", HEAD + b"  type: " + b"x " * (_ROOM // 2)
    yield "a quoted text", HEAD + b'  type: "' + b"x" * _ROOM + b'"'
    yield "a quoted text without an end", HEAD + b'  type: "' + b"x" * _ROOM
    yield "a quoted text of lines", HEAD + b"  type: '" + b"x\n\n" * (_ROOM // 3) + b"'"
    yield "a folded text", HEAD + b"  type: >\n" + b"    x\n\n" * (_ROOM // 7)
    yield "a number", HEAD + b"  type: " + b"9" * _ROOM
    yield "an exponent", HEAD + b"  type: 1e" + b"9" * _ROOM
    yield "many numbers", HEAD + b"  components: [" + b"1e5," * (_ROOM // 4) + b"]"
    yield "a key", HEAD + b"  " + b"x" * _ROOM + b": 1"
    yield "many keys", HEAD + b"".join(b"  k%d: 1\n" % n for n in range(_ROOM // 16))
    yield "the same key", HEAD + b"  type: a\n" * (_ROOM // 10)
    yield "many documents", b"---\n" * (SIZE_MAX_BYTES // 4)
    yield "many applications", (HEAD + b"  {}\n---\n") * (_ROOM // (len(HEAD) + 9))
    yield "many tags", HEAD + b"  components: [" + b"!a x," * (_ROOM // 5) + b"]"
    yield "many questions", HEAD + b"  ? a\n" * (_ROOM // 6)


def _bombs() -> Iterator[tuple[str, bytes]]:
    for opening in (b"[", b"{", b"{a: ", b"- ", b"? ", b"[{a: "):
        yield f"nested {opening!r}", HEAD + opening * (_ROOM // len(opening))
    steps = b"".join(b"%s- x:\n" % (b" " * (n * 2)) for n in range(700))
    yield "nested by indentation", steps
    laughs = [b"a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    laughs += [b"a%d: &a%d [%s]" % (n, n, b",".join([b"*a%d" % (n - 1)] * 9)) for n in range(1, 60)]
    yield "a billion laughs", b"\n".join(laughs)
    yield "an alias of itself", b"a: &a [*a, *a]"
    yield "many aliases", b"a: &a [x]\nb: [" + b"*a," * (_ROOM // 3) + b"]"
    yield "many anchors", b"a: [" + b",".join(b"&a%d x" % n for n in range(_ROOM // 12)) + b"]"
    yield "merges", b"a: &a {x: 1}\n" + b"".join(b"b%d: {<<: *a}\n" % n for n in range(30_000))


def _encodings() -> Iterator[tuple[str, bytes]]:
    text = (HEAD + b"  type: web\n").decode()
    for name in ("utf-16", "utf-16-le", "utf-32", "utf-7", "cp037", "latin-1"):
        yield f"in {name}", f"{text}  criticality: gr\u00fcn\n".encode(name)
    yield "a NUL", HEAD + b"  type: a\0b\n"
    yield "half of a character", HEAD + b'  type: "\\ud800"\n'
    yield "an overlong character", HEAD + b"  type: \xc0\xaf\n"
    yield "control characters", HEAD + b"  type: " + bytes(range(1, 32)) + b"\n"
    yield "bytes", bytes(range(256)) * 4096


def _damaged(text: bytes, chance: random.Random) -> bytes:
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(text) + 1)
        until = at + chance.choice((0, 0, 1, 5, 40))
        text = text[:at] + chance.choice(_PIECES) + text[until:]
    return text


def main() -> None:
    """Read every hostile document, each with its share of time, all with one bound of memory."""
    examples = [Path(name).read_bytes() for name in sys.argv[1:]]
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_MAX_BYTES, MEMORY_MAX_BYTES))
    for name, content in hostile(examples):
        sys.stdout.write(f"{name}\n")
        sys.stdout.flush()
        signal.setitimer(signal.ITIMER_PROF, TIME_MAX_S)  # its signal ends this process
        try:
            read_documents(content, "hostile.yaml")
        except DocumentError as error:
            str(error)
        signal.setitimer(signal.ITIMER_PROF, 0)
    sys.stdout.write("all were read\n")


if __name__ == "__main__":
    main()
