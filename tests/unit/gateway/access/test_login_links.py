"""Login links: once, for some minutes, and only by whoever may write into a private folder."""

import os
import threading
import time
from pathlib import Path

import pytest

from appshield.gateway.access.login_links import LIVES_S, link, new_code, redeem


def age(folder: Path, seconds: float) -> None:
    """Let every link be so old."""
    for file in folder.iterdir():
        os.utime(file, (time.time() - seconds,) * 2)


def test_a_code_works_once(tmp_path: Path) -> None:
    """Whoever finds the link in the history of a browser gets nowhere."""
    folder = tmp_path / "logins"
    code = new_code(folder)
    assert [redeem(folder, code), redeem(folder, code)] == [True, False]


def test_of_many_at_once_one_gets_in(tmp_path: Path) -> None:
    """A race lets no second one in."""
    folder = tmp_path / "logins"
    code = new_code(folder)
    won: list[bool] = []
    threads = [threading.Thread(target=lambda: won.append(redeem(folder, code))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won.count(True) == 1


@pytest.mark.parametrize("code", ["", "x", "../../etc/passwd", "\0", "a/b", "é" * 500])
def test_what_was_never_made_is_refused(tmp_path: Path, code: str) -> None:
    """Whatever it is, it names no file but one of ours."""
    folder = tmp_path / "logins"
    new_code(folder)
    assert not redeem(folder, code)


@pytest.mark.parametrize(("seconds", "good"), [(LIVES_S - 30, True), (LIVES_S + 30, False)])
def test_a_link_is_good_for_some_minutes(tmp_path: Path, seconds: float, *, good: bool) -> None:
    """One that was forgotten on a screen is not."""
    code = new_code(tmp_path / "logins")
    age(tmp_path / "logins", seconds)
    assert redeem(tmp_path / "logins", code) is good


def test_a_file_from_the_future_is_none(tmp_path: Path) -> None:
    """It would be good for longer than any link is."""
    code = new_code(tmp_path / "logins")
    age(tmp_path / "logins", -3600)
    assert not redeem(tmp_path / "logins", code)


def test_links_that_nobody_used_are_forgotten(tmp_path: Path) -> None:
    """The folder does not grow."""
    folder = tmp_path / "logins"
    new_code(folder)
    age(folder, LIVES_S + 30)
    new_code(folder)
    assert len(list(folder.iterdir())) == 1


def test_a_folder_that_others_can_write_into_makes_no_code_good(tmp_path: Path) -> None:
    """Anybody on the machine could make one."""
    folder = tmp_path / "logins"
    code = new_code(folder)
    folder.chmod(0o777)
    assert not redeem(folder, code)
    folder.chmod(0o700)
    assert redeem(folder, code)
    assert not redeem(tmp_path / "none", code)


def test_nothing_on_the_disk_tells_the_code(tmp_path: Path) -> None:
    """Nor does a server see it: browsers keep what follows # to themselves."""
    folder = tmp_path / "logins"
    code = new_code(folder)
    (file,) = folder.iterdir()
    assert code not in file.name
    assert file.read_bytes() == b""
    assert file.stat().st_mode & 0o077 == 0
    assert link("http://127.0.0.1:1", code).partition("#")[2] == f"login={code}"
