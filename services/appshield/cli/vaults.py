"""`appshield vault` and `rebuild-catalog`: where versions are kept, and how to reach them."""

import asyncio
import getpass
import os
import select
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter, validators

from appshield.cli.backups import follow
from appshield.cli.options import AppName, History, Namespace, Output, Wait
from appshield.cli.output import note, say, say_json, say_table
from appshield.cli.reaching import Reach
from appshield.cli.repositories import OnlyApp, check_contents
from appshield.contracts.identities import AppRef
from appshield.doors import asking
from appshield.doors.asking import Contents
from appshield.doors.auditing import tell_read
from appshield.doors.naming import wanted, with_versions
from appshield.doors.records import applications
from appshield.doors.requesting import ask
from appshield.errors import InvalidInputError, NotFoundError, RunFailedError, UnavailableError
from appshield.local.vaults import add_vault, exported_key
from appshield.objectstore import LockMode, S3Credentials, S3Location
from appshield.vault import VaultAccess, check_vault, import_root_key, open_vault, vault_retention
from appshield.vault.finding import ClusterVaults

ACCESS_KEY, SECRET_KEY = "APPSHIELD_S3_ACCESS_KEY", "APPSHIELD_S3_SECRET_KEY"
AGENT_KEY = ("APPSHIELD_S3_AGENT_ACCESS_KEY", "APPSHIELD_S3_AGENT_SECRET_KEY")
SESSION_TOKEN = "APPSHIELD_S3_SESSION_TOKEN"  # noqa: S105 - the name of a variable
PRIMARY = "primary"
_LOOK_EVERY_S = 0.2

VaultName = Annotated[str, Parameter(name="VAULT", help="The Vault's name.")]


async def add(
    name: VaultName,
    /,
    *,
    endpoint: Annotated[str, Parameter(help="Like https://s3.example.com.")],
    bucket: Annotated[str, Parameter(help="The bucket; it is made where it is missing.")],
    prefix: Annotated[str, Parameter(help="A folder in the bucket.")] = "",
    region: Annotated[str, Parameter(help="The service's region.")] = "us-east-1",
    addressing: Annotated[
        Literal["path", "virtual"], Parameter(help="How the service names buckets.")
    ] = "path",
    key_file: Annotated[
        Path | None, Parameter(help="The root key of a Vault that is there already.")
    ] = None,
    read_only: Annotated[bool, Parameter(negative="", help="Never write to it.")] = False,
    ca_file: Annotated[
        Path | None, Parameter(help="Certificates (PEM) to trust for the store.")
    ] = None,
    lock_days: Annotated[
        int,
        Parameter(
            validator=validators.Number(gte=0, lte=36_500),
            help="Keep what a version needs from being deleted for so many days after it.",
        ),
    ] = 0,
    lock_mode: Annotated[
        LockMode, Parameter(help="governance: a special right may delete earlier.")
    ] = "governance",
) -> None:
    """Set a Vault up, in its bucket and in the cluster.

    The access key comes from APPSHIELD_S3_ACCESS_KEY and APPSHIELD_S3_SECRET_KEY, or is asked for;
    that for agents on nodes, which cannot delete, from APPSHIELD_S3_AGENT_ACCESS_KEY and
    APPSHIELD_S3_AGENT_SECRET_KEY, if there is one.
    """
    reach = Reach.here()
    location = S3Location(
        endpoint=endpoint,
        bucket=bucket,
        prefix=prefix,
        region=region,
        addressing=addressing,
        ca_pem=_read_text(ca_file, "file of certificates") if ca_file else None,
    )
    root_key = import_root_key(_read_text(key_file, "key file")) if key_file else None
    credentials = _credentials()
    async with reach.cluster() as cluster:
        await add_vault(
            cluster,
            reach.home,
            name=name,
            location=location,
            credentials=credentials,
            agent_credentials=_agent_credentials(),
            root_key=root_key,
            read_only=read_only,
            retention=vault_retention(lock_mode, lock_days) if lock_days else None,
        )
    say(f"Vault {name} is set up in {location}")
    note(f"keep its root key in a safe place: `appshield vault export-key {name}`")


async def check(
    name: VaultName,
    /,
    *,
    contents: Annotated[
        Contents | Literal["none"],
        Parameter(help="Check what is in it, too: no data, a thirtieth of it, or all of it."),
    ] = "none",
    app: OnlyApp = "",
    output: Output = "text",
) -> None:
    """Try everything that AppShield needs from a Vault, and leave nothing behind.

    With --contents the repository of each application is checked instead, and damage is recorded.
    """
    if contents != "none":
        await check_contents(name, contents, app, output=output)
        return
    report = await asyncio.to_thread(check_vault, await _access(name))
    if output == "json":
        say_json(report)
    else:
        rows = [("ok" if line.ok else "failed", line.name, line.detail) for line in report.lines]
        say_table(("", "CHECK", "DETAIL"), rows, empty="nothing was checked")
    if not report.ok:
        failed = [line.name for line in report.lines if not line.ok]
        raise RunFailedError(
            f"Vault {name} does not do what AppShield needs",
            why=f"failed: {', '.join(failed)}",
            next_step="The lines above say what to correct.",
        )


async def export_key(name: VaultName, /) -> None:
    """Print a Vault's root key. With it and the bucket alone, all versions can be read."""
    reach = Reach.here()
    key = exported_key(reach.home, name)
    try:
        async with reach.bus() as bus:
            nobodys = AppRef(cluster=await reach.cluster_name(bus), namespace="", name="")
            await tell_read(bus, nobodys, what="root key", vault=name)
    except (NotFoundError, UnavailableError) as error:  # it has to be had without a bus, too
        note(f"warning: the audit does not know of this: {error}")
    say(key)


async def password(
    app: AppName,
    /,
    *,
    namespace: Namespace = "",
    history: History = "",
    credentials: Annotated[
        bool, Parameter(negative="", help="Also print the access key of the store.")
    ] = False,
) -> None:
    """Print what a stock restic needs to read an application's versions, for `eval` in a shell."""
    want = wanted(app, namespace)
    async with Reach.here().bus() as bus:
        record = with_versions(await applications(bus), want, history)
        await tell_read(bus, record.app, what="the password of its repository")
    access = await _access(record.vault)
    settings = await asyncio.to_thread(_restic_settings, access, record.app_id)
    if credentials:
        settings["AWS_ACCESS_KEY_ID"] = access.credentials.access_key
        settings["AWS_SECRET_ACCESS_KEY"] = access.credentials.secret_key
    for variable, value in settings.items():
        say(f"export {variable}={shlex.quote(value)}")


async def rebuild_catalog(
    name: VaultName = PRIMARY, /, *, wait: Wait = False, output: Output = "text"
) -> None:
    """Read a Vault and list every application and version that is in it, also on a new cluster."""
    reach = Reach.here()
    async with reach.bus() as bus:
        request = asking.rebuild_catalog(name, await reach.asker(bus))
        await follow(bus, await ask(bus, request), wait=wait, output=output)
        if wait and output == "text":
            held = [record for record in await applications(bus) if record.vault == name]
            note(f"{len(held)} applications; `appshield apps --all` lists them")


async def _access(name: str) -> VaultAccess:
    async with Reach.here().cluster() as cluster:
        return await ClusterVaults(cluster).access(name)


def _restic_settings(access: VaultAccess, app_id: str) -> dict[str, str]:
    shelf = open_vault(access).application(app_id)
    if shelf.identity() is None:
        raise NotFoundError(
            f"Vault {access.name} holds no repository of {app_id}",
            next_step="`appshield backup` makes the first version.",
        )
    location = access.location
    folder = "/".join(
        part for part in (location.prefix, "applications", app_id, "repository") if part
    )
    return {
        "RESTIC_REPOSITORY": f"s3:{location.endpoint}/{location.bucket}/{folder}",
        "RESTIC_PASSWORD": shelf.repository_password(),
    }


def _read_text(file: Path, kind: str) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeError) as error:
        raise InvalidInputError(
            f"the {kind} {file} cannot be read", why=getattr(error, "strerror", "") or "no text"
        ) from error


def _agent_credentials() -> S3Credentials | None:
    """Read the key of agents, which need not be given.

    Raises:
        InvalidInputError: half of it is given.
    """
    given = [os.environ.get(name, "") for name in AGENT_KEY]
    if any(given) and not all(given):
        raise InvalidInputError(
            "the access key of agents is not whole",
            why=" and ".join(AGENT_KEY) + " belong together",
            next_step="Set both, or none of them.",
        )
    return S3Credentials(*given) if all(given) else None


def _credentials() -> S3Credentials:
    """Take the access key from the environment, else from the person at the terminal."""
    access_key, secret_key = os.environ.get(ACCESS_KEY, ""), os.environ.get(SECRET_KEY, "")
    if not (access_key and secret_key):
        if not sys.stdin.isatty():
            raise InvalidInputError(
                "the access key of the object store is missing",
                next_step=f"Set {ACCESS_KEY} and {SECRET_KEY}, or run this at a terminal.",
            )
        access_key = access_key or _typed("Access key: ", echo=True)
        secret_key = secret_key or _typed("Secret key: ", echo=False)
    return S3Credentials(
        access_key=access_key,
        secret_key=secret_key,
        session_token=os.environ.get(SESSION_TOKEN) or None,
    )


def _typed(prompt: str, *, echo: bool) -> str:
    """Ask the person at the terminal; what is secret is not shown."""
    try:
        with _interruptible():
            if echo:
                sys.stderr.write(prompt)
                sys.stderr.flush()
                _wait_for_a_line()
            typed = (input() if echo else getpass.getpass(prompt)).strip()
    except EOFError:
        typed = ""
    if not typed:
        raise InvalidInputError(
            "nothing was typed, and a Vault needs an access key and a secret key",
            next_step=f"Run it again, or set {ACCESS_KEY} and {SECRET_KEY}.",
        )
    return typed


def _wait_for_a_line() -> None:
    """Wait for the person in looks: a Ctrl-C just before one long read would wait for its end."""
    while not select.select([sys.stdin], [], [], _LOOK_EVERY_S)[0]:
        pass


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C end a question: the event loop would note it and wait for the answer."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
