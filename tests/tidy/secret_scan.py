"""Looks for secrets in files of the repository: `python -m tidy.secret_scan`, in `poe check`.

Keys and tokens have forms of their own, and what is assigned to a `password` or the like is one
when it looks random. Where something only looks so, the line says `no secret:` and why.
"""

import base64
import math
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXCUSE = re.compile(r"no secret: \S")
BYTES_MAX = 4 * 1024 * 1024
RANDOM_FROM_BITS = 3.8
"""Entropy of each character above which a text of 20 is not made of words."""

FORMS = {
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s*[A-Za-z0-9+/=]{20}"),
    "an access key of AWS": re.compile(r"\b(?:AKIA|ASIA)(?!IOSFODNN7EXAMPLE)[0-9A-Z]{16}\b"),
    "a token of GitHub": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60})"),
    "a token of GitLab": re.compile(r"\bglpat-[A-Za-z0-9_-]{20}"),
    "a token of Slack": re.compile(r"\bxox[abeoprs]-[A-Za-z0-9-]{20}"),
    "a key of Google": re.compile(r"\bAIza[A-Za-z0-9_-]{35}\b"),
    "a token of a package registry": re.compile(r"\b(?:npm_[A-Za-z0-9]{36}|pypi-AgE[\w-]{50})"),
    "a seed of NATS": re.compile(r"\bS[ACNOUX][A-Z2-7]{56}\b"),
    "a token (JWT)": re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{20,}"),
}
VALUES = (
    re.compile(
        r"(?i)(?:password|passwd|secret|token|api_?key|credential)s?[\"']?\s*[:=]\s*"
        r"[\"']([A-Za-z0-9+/=_-]{20,})[\"']"
    ),
    re.compile(r"://[^/\s:@{}<>$'\"]+:([^/\s:@{}<>$'\"]{20,})@"),
)
"""What is assigned to a name that says so, and passwords in addresses."""


def secrets_in(text: str) -> Iterator[tuple[int, str]]:
    """Find what looks like a secret: the line and what it is."""
    lines = text.splitlines()
    for what, form in FORMS.items():
        for match in form.finditer(text):
            at = text.count("\n", 0, match.start())
            if not EXCUSE.search(lines[at]):
                yield at + 1, what
    for at, line in enumerate(lines):
        values = [value for form in VALUES for value in form.findall(line)]
        if any(map(_is_random, values)) and not EXCUSE.search(line):
            yield at + 1, "a password or token that looks random"


def _is_random(value: str) -> bool:
    """Say whether the characters of a text tell little about each other; words in base64 do."""
    text = _words(value) or value
    shares = [count / len(text) for count in Counter(text).values()]
    return -sum(share * math.log2(share) for share in shares) > RANDOM_FROM_BITS


def _words(value: str) -> str:
    """Read what is written in base64, where that is plain text."""
    try:
        text = base64.b64decode(value, validate=True).decode("ascii")
    except ValueError:
        return ""
    return text if text.isprintable() else ""


def main() -> int:
    """Scan every file that git knows; return the exit code."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    found = 0
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if not path.is_file() or path.stat().st_size > BYTES_MAX:
            continue
        for line, what in secrets_in(path.read_text(errors="replace")):
            found += 1
            sys.stderr.write(f"{name}:{line}: this looks like {what}\n")
    if found:
        sys.stderr.write("Take them out and make new ones; `# no secret: WHY` where it is none.\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
