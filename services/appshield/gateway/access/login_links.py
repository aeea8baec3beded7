"""Login links: whoever may write into the installation's private folder may log in.

A link holds a code that was made at random. Its maker leaves the code's digest as the name of a
file in a folder that belongs to one user alone; the gateway takes the file away when the code is
used. So a code works once, for a few minutes, before and after the gateway starts again, and is
nowhere but in the link.
"""

import hashlib
import os
import secrets
import stat
import time
from pathlib import Path

LIVES_S = 600
"""How long a link can be used."""
_CODE_BYTES = 32


def new_code(folder: Path) -> str:
    """Make a code that logs its bearer in once; forgets codes that nobody used."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for file in folder.iterdir():
        if not _is_fresh(file):
            file.unlink(missing_ok=True)
    code = secrets.token_urlsafe(_CODE_BYTES)
    os.close(os.open(folder / _name(code), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    return code


def redeem(folder: Path, code: str) -> bool:
    """Use a code up; say whether it was good.

    A folder that others than its owner can write into makes no code good.
    """
    file = folder / _name(code)
    if not _is_private(folder) or not _is_fresh(file):
        return False
    try:
        file.unlink()  # of several at a time one succeeds
    except FileNotFoundError:
        return False
    return True


def link(web: str, code: str) -> str:
    """Write the link. Browsers send what follows `#` to nobody, so no log of a server has it."""
    return f"{web}/#login={code}"


def _name(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()


def _is_private(folder: Path) -> bool:
    try:
        found = folder.stat()
    except FileNotFoundError:
        return False
    return found.st_uid == os.geteuid() and not stat.S_IMODE(found.st_mode) & 0o077


def _is_fresh(file: Path) -> bool:
    try:
        return 0 <= time.time() - file.stat().st_mtime + 1 <= LIVES_S + 1
    except FileNotFoundError:
        return False
