"""The audit as it is written, read, archived and verified.

It is a chain of lines: each names the SHA-256 of the line before it, so nothing can be changed,
left out or put elsewhere without a trace, unless everything after it is written anew. That is found
by what was archived in a Vault (`finding` finds it).
"""

from appshield.audit.archive import Archive, Segment, pack, unpack
from appshield.audit.chain import GENESIS, Break, Chain, Head, digest_of, link, read_entry
from appshield.audit.choosing import Wish, is_wanted
from appshield.audit.reading import Place, lines_in, lines_of, newest_first, oldest_first
from appshield.audit.verifying import Finding, Report, verify

__all__ = [
    "GENESIS",
    "Archive",
    "Break",
    "Chain",
    "Finding",
    "Head",
    "Place",
    "Report",
    "Segment",
    "Wish",
    "digest_of",
    "is_wanted",
    "lines_in",
    "lines_of",
    "link",
    "newest_first",
    "oldest_first",
    "pack",
    "read_entry",
    "unpack",
    "verify",
]
