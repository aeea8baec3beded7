"""Compares dependencies with known vulnerabilities: `python -m tidy.advisory_scan`, in `poe check`.

uv asks OSV about `uv.lock`, npm its registry about what the web interface is built of. What is
found fails the check. A clone without a network, or behind a mirror that knows of no
vulnerabilities, is told that it was not compared, and passes.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

ROOT = Path(__file__).resolve().parents[2]
WEB = ROOT / "services" / "appshield" / "gateway" / "web"
PATIENCE_S = 60.0
_FOUND = "vulnerabilities"

Outcome = Literal["clean", "vulnerable", "unanswered"]


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """A tool that compares, and lists in its JSON what it found."""

    what: str
    command: Sequence[str]
    folder: Path
    environment: Mapping[str, str]


def audits(*, osv: str = "", registry: str = "") -> list[Audit]:
    """List who is asked about what; without addresses, the ones that the tools know."""
    uv = os.environ.get("UV", "uv")
    at_osv = ("--service-url", osv) if osv else ()
    at_registry = ("--registry", registry) if registry else ()
    return [
        Audit(
            what="uv.lock",
            command=(uv, "audit", "--frozen", "--output-format", "json", *at_osv),
            folder=ROOT,
            environment={"UV_HTTP_RETRIES": "1", "UV_HTTP_TIMEOUT": "20"},
        ),
        Audit(
            what="package-lock.json",
            command=(
                "npm",
                "audit",
                "--json",
                "--fetch-retries=1",
                "--fetch-timeout=20000",
                *at_registry,
            ),
            folder=WEB,
            environment={},
        ),
    ]


def compared(audit: Audit) -> tuple[Outcome, str]:
    """Ask, and say what came of it, in the words of the tool."""
    try:
        done = subprocess.run(
            audit.command,
            cwd=audit.folder,
            env={**os.environ, **audit.environment},
            capture_output=True,
            timeout=PATIENCE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return "unanswered", str(error)
    try:
        answer = msgspec.json.decode(done.stdout, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError):
        answer = {}
    if _FOUND not in answer:
        return "unanswered", done.stderr.decode(errors="replace").strip()
    if answer[_FOUND]:
        return "vulnerable", done.stdout.decode(errors="replace").strip()
    return "clean", ""


def main() -> int:
    """Compare; return the exit code."""
    vulnerable = False
    for audit in audits():
        outcome, said = compared(audit)
        if outcome == "vulnerable":
            vulnerable = True
            sys.stderr.write(f"{said}\n{audit.what}: dependencies have known vulnerabilities\n")
        elif outcome == "unanswered":
            lines = [line for line in said.splitlines() if "log of this run" not in line]
            why = lines[-1].strip() if lines else "no answer"
            sys.stderr.write(f"{audit.what}: not compared with known vulnerabilities ({why})\n")
    return 1 if vulnerable else 0


if __name__ == "__main__":
    sys.exit(main())
