"""Uploads: one YAML file, or a zip or tar archive of a few; archives are treated as hostile."""

import io
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from catalog.intake.sources.tree import FileUnreadable, MemoryTree, SourceUnreadable, Tree, inside
from catalog.models import Source, Upload
from portal.accounts.tenancy import tenant
from portal.kit.errors import Invalid, TooLarge

MAX_UPLOAD = 4 * 1024 * 1024
MAX_FILES = 1000
MAX_UNPACKED = 16 * 1024 * 1024
PLAIN_NAME = "catalog-info.yaml"


@contextmanager
def opened(source: Source) -> Iterator[Tree]:
    """The uploaded files."""
    with tenant(source.organisation_id):
        upload = Upload.objects.for_tenant(source.organisation_id).filter(source=source).first()
    if upload is None:
        raise SourceUnreadable("The uploaded file is gone. Upload it again.")
    yield tree_of(bytes(upload.content), upload.filename)


def tree_of(content: bytes, filename: str) -> MemoryTree:
    """The files in an upload; raises TooLarge or Invalid with the sentence for the person who sent it."""
    basket = _unpacked(content, filename)
    return MemoryTree(basket.files, "", frozenset(basket.executables))


def _unpacked(content: bytes, filename: str) -> "_Basket":
    if len(content) > MAX_UPLOAD:
        raise TooLarge(
            f"{filename} is {len(content) / 2**20:.1f} MiB; an upload may have at most {MAX_UPLOAD // 2**20} MiB.",
            field="upload",
        )
    try:
        if zipfile.is_zipfile(io.BytesIO(content)):
            return _unzip(content)
        if filename.lower().endswith((".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")):
            return _untar(content)
    except (
        zipfile.BadZipFile,
        tarfile.TarError,
        zlib.error,
        EOFError,
        OSError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise Invalid(f"{filename} cannot be unpacked: the archive is damaged or locked.", field="upload") from error
    if filename.lower().endswith(".zip"):
        raise Invalid(f"{filename} is not a zip archive.", field="upload")
    basket = _Basket()
    basket.put(PLAIN_NAME, content)
    return basket


class _Basket:
    """Collects files of an archive within the bounds."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.executables: set[str] = set()
        self.size = 0

    def name(self, name: str, is_plain_file: bool) -> str:
        """The file's path, if an honest archive could hold it."""
        if not is_plain_file:
            raise Invalid(
                f'The archive holds "{name}", which is a link or a device. Pack plain files only.', field="upload"
            )
        try:
            path = inside(name)
        except FileUnreadable as error:
            raise Invalid(f"The archive is refused: {error}", field="upload") from error
        if path in self.files:
            raise Invalid(f'The archive holds "{path}" twice.', field="upload")
        if len(self.files) >= MAX_FILES:
            raise TooLarge(f"The archive holds more than {MAX_FILES} files.", field="upload")
        return path

    def put(self, path: str, content: bytes, mode: int = 0) -> None:
        self.size += len(content)
        if self.size > MAX_UNPACKED:
            raise TooLarge(f"The archive is larger than {MAX_UNPACKED // 2**20} MiB when unpacked.", field="upload")
        self.files[path] = content
        if mode & 0o100:
            self.executables.add(path)

    @property
    def room(self) -> int:
        """How many bytes may still be read: one more than allowed, so that too many are noticed."""
        return MAX_UNPACKED - self.size + 1


def _unzip(content: bytes) -> _Basket:
    basket = _Basket()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for entry in archive.infolist():
            if entry.is_dir():
                continue
            mode = entry.external_attr >> 16
            path = basket.name(entry.filename, not mode or stat.S_ISREG(mode) or not stat.S_IFMT(mode))
            with archive.open(entry) as file:
                basket.put(path, file.read(basket.room), mode)
    return basket


def _untar(content: bytes) -> _Basket:
    basket = _Basket()
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:*") as archive:
        while (entry := archive.next()) is not None:
            if entry.isdir():
                continue
            path = basket.name(entry.name, entry.isreg() and not entry.issparse())
            file = archive.extractfile(entry)
            basket.put(path, file.read(basket.room) if file else b"", entry.mode)
    return basket
