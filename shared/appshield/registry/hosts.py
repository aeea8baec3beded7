"""Where a registry really is: the same answers as a node's containerd gives to itself.

    <folder>/<host>/hosts.toml      server, and hosts with `capabilities`, `ca`, `skip_verify`

Without such a file it is https at the name itself; http where the name means this machine.
"""

import ssl
import tomllib
from pathlib import Path
from typing import Any, Literal

import msgspec

from appshield.errors import InvalidInputError
from appshield.registry.references import HOST

Purpose = Literal["pull", "push"]
_ELSEWHERE = {"docker.io": "registry-1.docker.io"}
_THIS_MACHINE = ("localhost", "127.", "[::1]")


class RegistryHost(msgspec.Struct, frozen=True):
    """An address to ask, without the path of the protocol, and whom to trust there."""

    url: str
    ca_files: tuple[str, ...] = ()
    verifies: bool = True

    def context(self) -> ssl.SSLContext:
        """Make what a connection to it needs.

        Raises:
            InvalidInputError: a file of certificates cannot be read.
        """
        context = ssl.create_default_context()
        try:
            for file in self.ca_files:
                context.load_verify_locations(file)
        except (OSError, ssl.SSLError) as error:
            raise InvalidInputError(
                f"the certificates for registry {self.url} cannot be used",
                why=f"{', '.join(self.ca_files)}: {error}",
                next_step="Correct hosts.toml of that registry.",
            ) from error
        if not self.verifies:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


class RegistryHosts:
    """Finds registries as containerd does, by the folder that its `config_path` names."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, host: str, purpose: Purpose) -> tuple[RegistryHost, ...]:
        """List where to ask for a registry, the best first; the registry itself last.

        Raises:
            InvalidInputError: its `hosts.toml` cannot be read, or that is no name of a registry.
        """
        if not HOST.fullmatch(host):
            raise InvalidInputError(
                f"{host!r} names no registry",
                next_step="Write it as HOST or HOST:PORT, as in the name of an image.",
            )
        plain = RegistryHost(_plain_url(host))
        file = self._folder / host / "hosts.toml"
        try:
            document = tomllib.loads(file.read_text())
        except FileNotFoundError:
            return (plain,)
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise InvalidInputError(f"{file} cannot be read", why=str(error)) from error
        server = str(document.get("server") or plain.url).rstrip("/")
        found = [
            _host(url, settings, file.parent)
            for url, settings in document.get("host", {}).items()
            if purpose in settings.get("capabilities", ("pull", "resolve", "push"))
        ]
        if all(one.url != server for one in found):
            found.append(_host(server, document, file.parent))
        return tuple(found)


def _host(url: str, settings: dict[str, Any], folder: Path) -> RegistryHost:
    given = settings.get("ca", ())
    files = [given] if isinstance(given, str) else given
    return RegistryHost(
        url.rstrip("/"),
        tuple(str(folder / file) for file in files),
        not settings.get("skip_verify", False),
    )


def _plain_url(host: str) -> str:
    scheme = "http" if host.startswith(_THIS_MACHINE) else "https"
    return f"{scheme}://{_ELSEWHERE.get(host, host)}"
