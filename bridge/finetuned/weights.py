"""Weights on disk, by their headers alone: are they whole, and does an adapter fit a base?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

HEADER_MAX = 100 * 1024 * 1024
"""Bytes; the format's own limit."""
_ADAPTER_PREFIX = "base_model.model."
_LORA_IN = ".lora_A.weight"

Shapes = Mapping[str, tuple[int, ...]]


class Broken(Exception):
    """Why a file of weights cannot be used, in a few words."""


def shapes(path: Path) -> Shapes:
    """Shape of each tensor of a safetensors file. Raises Broken where the file is not whole."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > HEADER_MAX:
                raise Broken(f"{path.name} is no safetensors file")
            header = json.loads(file.read(length))
            size = path.stat().st_size
        tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
        end = max((entry["data_offsets"][1] for entry in tensors.values()), default=0)
        found = {name: tuple(entry["shape"]) for name, entry in tensors.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise Broken(f"{path.name} is cut off or no safetensors file") from error
    if 8 + length + end != size:
        raise Broken(f"{path.name} is cut off: {size:,} of {8 + length + end:,} bytes")
    return found


def check_weights(folder: Path, stem: str) -> None:
    """Raises Broken unless the folder holds all weights that go by ``stem`` (``model``, ``adapter_model``)."""
    for path in _files(folder, stem):
        if path.suffix == ".safetensors":
            shapes(path)
        elif not path.is_file() or not path.stat().st_size:
            raise Broken(f"{path.name} is missing or empty")


def fits(adapter: Path, base: Path) -> bool:
    """False where a LoRA's matrices have other sizes than the base's; True also where the names tell nothing."""
    try:
        inner = {name: shape for path in _files(adapter, "adapter_model") for name, shape in shapes(path).items()}
        outer = {name: shape for path in _files(base, "model") for name, shape in shapes(path).items()}
    except Broken:
        return True
    for name, shape in inner.items():
        known = outer.get(name.removeprefix(_ADAPTER_PREFIX).replace(_LORA_IN, ".weight"))
        if name.endswith(_LORA_IN) and known is not None and shape[-1] != known[-1]:
            return False
    return True


def fingerprint(folders: Iterable[Path]) -> str:
    """Changes when a file of these folders does: its name, size or time of change."""
    files = [
        (str(folder), file.name, stat.st_size, stat.st_mtime_ns)
        for folder in folders
        for file in sorted(folder.iterdir())
        if file.is_file() and (stat := file.stat())
    ]
    return hashlib.sha256(json.dumps(files).encode()).hexdigest()[:8]


def _files(folder: Path, stem: str) -> Iterator[Path]:
    """The files that the folder is to hold. Raises Broken where there are none, or one of several is not there."""
    index = next(iter(sorted(folder.glob(f"*{stem}*.index.json"))), None)
    if index is not None:
        yield from (folder / name for name in _indexed(index))
        return
    names = (f"{stem}.safetensors", f"{stem}.bin", f"pytorch_{stem}.bin")
    one = next((folder / name for name in names if (folder / name).is_file()), None)
    if one is None:
        raise Broken(f"it holds no weights ({' or '.join(names[:2])})")
    yield one


def _indexed(index: Path) -> list[str]:
    try:
        names = set(json.loads(index.read_bytes())["weight_map"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Broken(f"{index.name} is cut off") from error
    if missing := sorted(str(name) for name in names if not (index.parent / Path(str(name)).name).is_file()):
        raise Broken(f"{missing[0]} is missing")
    return sorted(Path(str(name)).name for name in names)
