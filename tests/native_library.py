"""The C part for tests: built now, with Debian's compiler, where it is not there or older."""

import fcntl
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from appshield.repository import native
from appshield.repository.native import LIBRARY, NativeCode
from go_programs import refuse_install

FLAGS = ["-std=gnu11", "-O3", "-shared", "-fPIC"]


def built_native() -> NativeCode:
    """Return the C part; a machine without a compiler gets Debian's."""
    with Path("/tmp/appshield-native.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_built():
            _build()
    native._loaded.cache_clear()  # it may have looked before
    found = native.native_code()
    assert found is not None, (
        "the C part was built and cannot be used here: it needs an x86-64 processor "
        "with SHA and AVX instructions, libcrypto.so.3 and libzstd.so.1 (APPSHIELD_NATIVE=0 turns "
        "it off in the product, not in its tests)"
    )
    return found


def _build() -> None:
    if shutil.which("cc") is None:
        refuse_install("the Debian packages gcc and libc6-dev have to be installed")
        for command in ("update -qq", "install --yes -qq gcc libc6-dev libzstd1"):
            subprocess.run(["apt-get", *shlex.split(command)], check=True, capture_output=True)
    unfinished = LIBRARY.with_suffix(".unfinished")
    subprocess.run(["cc", *FLAGS, "-o", unfinished, *_sources("c"), "-ldl"], check=True)
    unfinished.replace(LIBRARY)


def _sources(suffix: str) -> list[Path]:
    return sorted(LIBRARY.parent.glob(f"*.{suffix}"))


def _is_built() -> bool:
    """Whether the library is there, and not older than what it is made of."""
    changed_s = max(source.stat().st_mtime for source in _sources("[ch]"))
    return LIBRARY.exists() and LIBRARY.stat().st_mtime >= changed_s


@pytest.fixture
def native_library() -> NativeCode:
    """The C part."""
    return built_native()
