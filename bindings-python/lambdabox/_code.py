"""Code on its way into the platform."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

from ._errors import InvalidParameter

SUFFIXES = {".py": "python", ".js": "javascript", ".mjs": "javascript", ".cjs": "javascript"}
SKIPPED = {".git", "__pycache__"}
# Archives of the same files are the same bytes, so that deploying twice stores once.
EPOCH = (1980, 1, 1, 0, 0, 0)


def read(code: str | bytes | os.PathLike[str], language: str | None) -> tuple[str | bytes, str]:
    """What to send, and the language: of source text, a zip's bytes, or a path to a file, a
    directory or a zip archive."""
    if isinstance(code, str):
        return code, language or "python"
    if isinstance(code, bytes):
        return code, language or _language(_names(code))
    path = Path(code)
    if path.is_dir():
        archive = zip_directory(path)
        return archive, language or _language(_names(archive))
    if not path.is_file():
        raise InvalidParameter(
            f"There is no file or directory {str(path)!r}.",
            "A `str` is source code; a path is given as a `pathlib.Path`.",
        )
    if path.suffix == ".zip":
        archive = path.read_bytes()
        return archive, language or _language(_names(archive))
    try:
        source = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InvalidParameter(f"{path.name} is not UTF-8.", "Save it as UTF-8.") from None
    return source, language or _language([path.name])


def zip_directory(root: Path) -> bytes:
    """Regular files only: a link could lead anywhere."""
    files = {}
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(set(folders) - SKIPPED)
        for name in names:
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink():
                files[path.relative_to(root).as_posix()] = path.read_bytes()
    if not files:
        raise InvalidParameter("The directory has no files.", "Give one with the code in it.")
    return zip_files(files)


def zip_files(files: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[name])
    return target.getvalue()


def _names(archive: bytes) -> list[str]:
    try:
        return zipfile.ZipFile(io.BytesIO(archive)).namelist()
    except zipfile.BadZipFile:
        # The platform says what is wrong with it.
        return []


def _language(names: list[str]) -> str:
    found = {SUFFIXES[Path(n).suffix] for n in names if Path(n).suffix in SUFFIXES}
    if len(found) == 1:
        return found.pop()
    raise InvalidParameter(
        "The language cannot be told from the files.",
        'Give `language="python"` or `language="javascript"`.',
    )
