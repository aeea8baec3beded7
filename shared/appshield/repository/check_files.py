"""The small files of a repository, checked one by one: config, keys, indexes, and what is foreign.

Indexes are read a file at a time and summed up, as they are for a backup.
"""

import hashlib

import msgspec

from appshield.errors import DamagedError, InvalidInputError
from appshield.objectstore import ObjectMissingError
from appshield.repository.config import CLAIM, open_config
from appshield.repository.findings import Findings
from appshield.repository.index import Index, IndexBuilder, IndexDocument, IndexedPack
from appshield.repository.keys import read_key_file
from appshield.repository.layout import CONFIG, file_name, is_file_name, list_files
from appshield.repository.repository import Repository
from appshield.repository.retiring import RETIRED


def check_config(repository: Repository, findings: Findings) -> None:
    """The config verifies and is of this format."""
    try:
        open_config(repository.store.get(CONFIG), repository.key)
    except (DamagedError, InvalidInputError) as error:
        findings.error(CONFIG, str(error))
    except ObjectMissingError:
        findings.error(CONFIG, "it is missing")


def check_key_files(repository: Repository, findings: Findings) -> None:
    """There is a key file, and each has the bytes that its name says."""
    found = 0
    for identity, _ in list_files(repository.store, "keys"):
        found += 1
        try:
            read_key_file(repository.store, identity)
        except DamagedError as error:
            findings.error(file_name("keys", identity), error.why)
        except ObjectMissingError:
            continue  # somebody has removed that password
    if not found:
        findings.error("keys", "no key file is left")


def warn_of_foreign_objects(repository: Repository, findings: Findings) -> None:
    """Name what is in the place of the repository and no part of it; it is never touched."""
    for found in repository.store.list(""):
        name = found.name
        if not (name in (CONFIG, CLAIM) or is_file_name(name) or name.startswith(f"{RETIRED}/")):
            findings.warn(name, "a foreign object, which is no part of the repository")


def check_index_files(repository: Repository, findings: Findings) -> Index:
    """Return the sum of those index files that can be read."""
    builder = IndexBuilder()
    contents: dict[bytes, bytes] = {}
    for identity, _ in list_files(repository.store, "index"):
        name = file_name("index", identity)
        try:
            document = repository.read_index_file(identity)
            builder.add_document(document)
            _check_packs(name, document, contents, findings)
        except DamagedError as error:
            findings.error(name, str(error))
    return Index(builder.build())


def _check_packs(
    name: str, document: IndexDocument, contents: dict[bytes, bytes], findings: Findings
) -> None:
    """Check the packs in an index file; `contents` has the digests of packs seen before."""
    for pack in document.packs:
        pack.blobs.sort(key=lambda blob: blob.offset)
        content = hashlib.blake2b(msgspec.msgpack.encode(pack.blobs), digest_size=16).digest()
        before = contents.setdefault(bytes.fromhex(pack.id), content)
        if before is not content:
            where = file_name("data", pack.id)
            if before == content:
                findings.warn(where, "two index files name this pack")
            else:
                findings.error(where, "two index files disagree about this pack")
        if not _is_contiguous(pack):
            findings.error(name, f"pack {pack.id} would have gaps")
        if len({blob.type for blob in pack.blobs}) > 1:
            findings.warn(name, f"pack {pack.id} mixes data and trees")


def _is_contiguous(pack: IndexedPack) -> bool:
    end = 0
    for blob in pack.blobs:
        if blob.offset != end:
            return False
        end += blob.length
    return True
