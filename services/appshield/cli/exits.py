"""What the exit code of a command means; the table is shown by `appshield --help`."""

OK = 0
UNEXPECTED = 1
INTERRUPTED = 130

EXIT_CODES: tuple[tuple[int, str], ...] = (
    (OK, "done; with --wait: the run succeeded"),
    (UNEXPECTED, "something unexpected, which is a defect"),
    (2, "an argument, a document or a setting is wrong"),
    (3, "what was named does not exist"),
    (4, "a rule forbids it in the present state"),
    (5, "cluster, bus or store cannot be reached: try again"),
    (6, "credentials or rights do not allow it"),
    (7, "a backup or restore failed or was cancelled"),
    (8, "stored data does not verify"),
    (9, "something did not happen in the time given"),
    (10, "a restore came back in part: what was damaged was left out"),
    (INTERRUPTED, "interrupted by Ctrl-C; a run that was waited for goes on"),
)


def exit_table() -> str:
    """Write the table, one line a code."""
    return "\n".join(f"{code:>5}  {meaning}" for code, meaning in EXIT_CODES)
