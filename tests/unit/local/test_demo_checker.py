"""The checker of the demo: silent about a whole version, loud about every planted difference."""

from typing import Any

import pytest

from appshield.local.demo.checker import Violation, check
from appshield.local.demo.facts import Cut, Gap, Running, Stored
from appshield.local.demo.write_log import Acknowledged, Begun, Entry, Stream

CUT = Cut(not_before_s=105.0, not_after_s=105.5)
QUIET = Gap(baseline_s=0.12, backup_s=0.3)


def digest(stream: str, n: int) -> str:
    return f"{stream}-{n}"


def log_of(stream: Stream, count: int) -> list[Entry]:
    """Write n begins at 100 + n and is acknowledged 0.2 s later; write 5 spans the cut."""
    entries: list[Entry] = []
    for n in range(1, count + 1):
        begun_s = 100.0 + n
        acked_s = begun_s + 0.2
        entries.append(Begun(stream=stream, n=n, sha256=digest(stream, n), at_s=begun_s))
        entries.append(
            Acknowledged(
                stream=stream, n=n, sha256=digest(stream, n), at_s=acked_s, monotonic_s=acked_s
            )
        )
    return entries


LOG = (*log_of("rows", 9), *log_of("files", 9))


def settings_map(greeting: str, uid: str = "one") -> dict[str, Any]:
    metadata = {"name": "web", "uid": uid}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "data": {"greeting": greeting},
    }


def service() -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {}}


OBJECTS = {"ConfigMap web": settings_map("hello"), "Service web": service()}
IMAGES = {"web/web": "sha256:one", "db/postgres": "sha256:db"}


def prefix(stream: str, last: int) -> dict[int, str]:
    """What is stored when everything up to `last` was in the snapshot."""
    return {n: digest(stream, n) for n in range(1, last + 1)}


def checked(
    *,
    rows: dict[int, str] | None = None,
    files: dict[int, str] | None = None,
    objects: dict[str, Any] | None = None,
    images: dict[str, str] | None = None,
    files_cut: Cut = CUT,
    files_gap: Gap = QUIET,
) -> tuple[Violation, ...]:
    """Check a whole version, apart from what is given."""
    return check(
        log=LOG,
        cuts={"rows": CUT, "files": files_cut},
        gaps={"rows": QUIET, "files": files_gap},
        before=Running(objects=OBJECTS, images=IMAGES),
        restored=Running(
            objects=OBJECTS if objects is None else objects,
            images=IMAGES if images is None else images,
        ),
        stored=Stored(
            rows=prefix("rows", 4) if rows is None else rows,
            files=prefix("files", 4) if files is None else files,
        ),
    )


def rules(violations: tuple[Violation, ...]) -> set[str]:
    return {violation.rule for violation in violations}


@pytest.mark.parametrize("last", [4, 5])
def test_a_whole_version_has_no_violation(last: int) -> None:
    """A write that was under way during the cut may be in the version or not."""
    assert checked(rows=prefix("rows", last), files=prefix("files", last)) == ()


def test_a_missing_early_row_is_found() -> None:
    """Planted difference 1: an acknowledged row is gone."""
    rows = prefix("rows", 4)
    del rows[1]
    assert rules(checked(rows=rows)) == {"lost write", "hole"}


def test_an_acknowledged_last_row_that_is_missing_is_found() -> None:
    """A prefix that ends too early has no hole, and lacks what it must hold."""
    assert rules(checked(rows=prefix("rows", 3))) == {"lost write"}


def test_no_rows_at_all_are_found() -> None:
    """An empty table is no unbroken prefix of anything that was acknowledged."""
    assert rules(checked(rows={})) == {"lost write"}


def test_a_row_begun_after_the_cut_is_found() -> None:
    """Planted difference 2: the version holds the future."""
    (violation,) = checked(rows=prefix("rows", 6))
    assert (violation.rule, violation.about) == ("write after the cut", "rows")
    assert "6" in violation.detail


def test_a_changed_digest_is_found() -> None:
    """Planted difference 3: a row of the right number holds other bytes."""
    assert rules(checked(rows={**prefix("rows", 4), 2: "other"})) == {"changed bytes"}


def test_a_hole_in_the_middle_of_files_is_found() -> None:
    """Planted difference 4: a file between restored ones is gone."""
    files = prefix("files", 5)
    del files[3]
    found = checked(files=files)
    assert rules(found) == {"lost write", "hole"}
    assert {violation.about for violation in found} == {"files"}


def test_a_hole_among_unacknowledged_writes_is_found() -> None:
    """Writes that need not be there may not be there without those before them."""
    files = prefix("files", 4)
    del files[3]
    wide = Cut(not_before_s=101.0, not_after_s=110.0)
    assert rules(checked(files=files, files_cut=wide)) == {"hole"}


def test_a_changed_configuration_value_is_found() -> None:
    """Planted difference 5: an object is not as it was."""
    (violation,) = checked(objects={**OBJECTS, "ConfigMap web": settings_map("other")})
    assert (violation.rule, violation.about) == ("object changed", "ConfigMap web")
    assert violation.detail.startswith("/data/greeting")


def test_what_the_server_owns_may_differ() -> None:
    """A restored object is a new one to the server."""
    assert checked(objects={**OBJECTS, "ConfigMap web": settings_map("hello", "two")}) == ()


def test_another_image_is_found() -> None:
    """Planted difference 6: version 2's image runs."""
    assert rules(checked(images={**IMAGES, "web/web": "sha256:two"})) == {"image changed"}


def test_a_container_that_does_not_run_is_found() -> None:
    """No running container is no equal image."""
    assert rules(checked(images={"db/postgres": "sha256:db"})) == {"image changed"}


def test_a_missing_object_is_found() -> None:
    """Planted difference 7: an object did not come back."""
    objects = {"ConfigMap web": OBJECTS["ConfigMap web"]}
    assert rules(checked(objects=objects)) == {"object missing"}


def test_an_extra_object_is_found() -> None:
    """Planted difference 8: something is there that was not before."""
    assert rules(checked(objects={**OBJECTS, "Service extra": service()})) == {"object too many"}


def test_a_row_that_was_never_written_is_found() -> None:
    """What is in no log cannot come from this application."""
    assert "unknown write" in rules(checked(rows={**prefix("rows", 4), 99: "x"}))


def test_a_writer_that_waited_is_found() -> None:
    """A gap may be 250 ms longer than without a backup, and no more."""
    assert checked(files_gap=Gap(baseline_s=0.1, backup_s=0.349)) == ()
    (violation,) = checked(files_gap=Gap(baseline_s=0.1, backup_s=0.36))
    assert (violation.rule, violation.about) == ("writes waited", "files")
