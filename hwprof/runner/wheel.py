"""hwprof's own wheel, made of the package as it is installed here: pure Python, so it serves every machine."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import zipfile
from pathlib import Path

import hwprof

FORM = "Wheel-Version: 1.0\nGenerator: hwprof\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def write_wheel(folder: Path) -> Path:
    """Write the wheel of this hwprof into `folder` (format: packaging.python.org, binary distribution format)."""
    own = importlib.metadata.distribution("hwprof")
    info = f"hwprof-{own.version}.dist-info"
    package = Path(hwprof.__file__).parent
    content = {
        f"hwprof/{path.relative_to(package)}": path.read_bytes()
        for path in sorted(package.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
    content[f"{info}/WHEEL"] = FORM.encode()
    for name in ("METADATA", "entry_points.txt"):
        if (text := own.read_text(name)) is not None:
            content[f"{info}/{name}"] = text.encode()
    lines = [f"{name},sha256={_sum(data)},{len(data)}\n" for name, data in content.items()]
    content[f"{info}/RECORD"] = f"{''.join(lines)}{info}/RECORD,,\n".encode()
    path = folder / f"hwprof-{own.version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in content.items():
            file.writestr(name, data)
    return path


def _sum(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
