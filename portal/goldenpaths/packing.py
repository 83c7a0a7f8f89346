"""A tree of files as one blob, for where it waits between two pieces of work."""

import io
import tarfile
from collections.abc import Mapping

from portal.goldenpaths.files import MAX_FILE_BYTES, MAX_TREE_BYTES, File, checked
from portal.kit.errors import TooLarge


def packed(files: Mapping[str, File]) -> bytes:
    """The files as a gzipped tar."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=6) as archive:
        for path, file in sorted(files.items()):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(file.content), file.mode
            archive.addfile(entry, io.BytesIO(file.content))
    return buffer.getvalue()


def unpacked(content: bytes) -> dict[str, File]:
    """The files again. What we packed ourselves is read with the same care as a stranger's archive."""
    files: dict[str, File] = {}
    room = MAX_TREE_BYTES
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        for entry in archive:
            stream = archive.extractfile(entry) if entry.isfile() else None
            if stream is None:
                continue
            room -= entry.size
            if entry.size > MAX_FILE_BYTES or room < 0:
                raise TooLarge("The packed files are larger than a tree of files may be.")
            files[entry.name] = File(stream.read(), entry.mode)
    return checked(files)
