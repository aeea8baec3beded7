"""Directories in and out of a repository: the half that knows file systems and no format.

    store_directory     an open directory to a tree, hot, by descriptors, incremental
    restore_directory   a tree into an open directory; may be killed and called again
    changes_of_restore  what a restore into a directory would change there
    store_documents     small documents from memory to a tree
    store_stream        bytes of unknown length to a tree with one file
    store_streams       several of them to files in directories
    store_blocks        an open block device to one file, in fixed chunks
    restore_blocks      such a file into an open device, where that differs
    open_directory_inside   from a relative path to a descriptor without following a link
    Selection           what of a tree is restored: paths and patterns
    flush_file_system   what was written is on the disk when it returns

All of it is blocking; callers run it in a thread or process of its own.
"""

from appshield.repository.files.blocks import (
    RestoredBlocks,
    block_node,
    differ_blocks,
    restore_blocks,
    store_blocks,
)
from appshield.repository.files.comparing import (
    RestoreChange,
    RestoreChangeKind,
    changes_of_restore,
)
from appshield.repository.files.confined import open_directory_inside
from appshield.repository.files.documents import store_documents, store_stream, store_streams
from appshield.repository.files.flushing import flush_file_system
from appshield.repository.files.problems import FileProblem, ProblemKind, shown, told
from appshield.repository.files.restoring import RestoredDirectory, restore_directory
from appshield.repository.files.selecting import Selection
from appshield.repository.files.storing import StoredDirectory, store_directory
from appshield.repository.files.tally import Progress, StoppedError

__all__ = [
    "FileProblem",
    "ProblemKind",
    "Progress",
    "RestoreChange",
    "RestoreChangeKind",
    "RestoredBlocks",
    "RestoredDirectory",
    "Selection",
    "StoppedError",
    "StoredDirectory",
    "block_node",
    "changes_of_restore",
    "differ_blocks",
    "flush_file_system",
    "open_directory_inside",
    "restore_blocks",
    "restore_directory",
    "shown",
    "store_blocks",
    "store_directory",
    "store_documents",
    "store_stream",
    "store_streams",
    "told",
]
