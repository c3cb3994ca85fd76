"""Where a dataset's files may lie, and in which layout: the benchmark's own, or OpenCompass's.

``ocbridge.lay_out`` checks and uses what is listed here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePath

from bridge.adapters.opencompass.catalog import Chosen, Config
from bridge.adapters.opencompass.known import SPLIT_FILES, Known, known_files
from bridge.adapters.opencompass.ocbridge.lay_out import File, LayoutError, Source, choose, subset_of

_CUSTOM_PATTERNS = {
    "general_mcq": ("{subset}_val.jsonl", "{subset}_val.csv"),
    "general_qa": ("{subset}_test.jsonl", "{subset}.jsonl", "{subset}_test.csv", "{subset}.csv"),
}
_CUSTOM_SPLITS = {"general_mcq": ("val",), "general_qa": ("test",)}


def splits(chosen: Chosen) -> tuple[str, ...]:
    """What the spec may name as the split; empty where the framework's configuration decides alone."""
    if chosen.custom:
        return _CUSTOM_SPLITS[chosen.name]
    known = [known.splits for _, known in _known_of(chosen.configs)]
    return known[0] if known else ()


def scored_split(chosen: Chosen, split: str | None) -> str | None:
    if split is not None or chosen.custom:
        return split or _CUSTOM_SPLITS[chosen.name][0]
    known = [known.split for _, known in _known_of(chosen.configs)]
    return known[0] if known else None


def expected(chosen: Chosen) -> str:
    """What a user is told to put there."""
    if chosen.custom:
        return " or ".join(pattern.replace("{subset}", "<subset>") for pattern in _CUSTOM_PATTERNS[chosen.name])
    places = [path for config in chosen.configs for path in config.data]
    own = [text for _, known in _known_of(chosen.configs) for text in _own_places(known)]
    return "; or, as in OpenCompass's data folder, ".join(filter(None, [", ".join(own), ", ".join(places)]))


def _own_places(known: Known) -> Iterator[str]:
    for place in known.places[0]:
        yield place.replace("{subset}", "<subset>").replace("{split}", SPLIT_FILES.get(known.split, known.split))


def parts(
    chosen: Chosen, subsets: Sequence[str], split: str | None, roots: Sequence[str], folder: str
) -> list[list[Source]]:
    """For each part of the dataset's files, where they may be, best first. ``folder`` is for converted files."""
    if chosen.custom:
        return [list(_custom(chosen.name, subsets, roots, folder))]
    return [
        list(_sources(path, config.loader, [config.names[abbr] for abbr in abbrs], split, roots))
        for config in chosen.configs
        for abbrs in [config.wanted(subsets)]
        if abbrs or not config.units
        for path in config.paths(subsets)
    ]


def files_of(chosen: Chosen, folder: str, abbrs: Iterable[str]) -> dict[str, list[str]]:
    """``abbr`` → its files, where they are known, the one whose rows are scored first.

    Of one's own questions ``*`` stands for any ``abbr``, and ``{}`` for its name.
    """
    if chosen.custom:
        return {"*": [f"{folder}/{{}}.jsonl"]}
    found: dict[str, list[str]] = {}
    for config in chosen.configs:
        for path, known in _known_of([config]):
            for abbr, name in config.names.items():
                if path not in config.paths_of(abbr):
                    continue
                places = sorted((place for place, _ in known.files), key=lambda place: place != known.scored)
                found[abbr] = [f"{path}/{place}".replace("{subset}", name).rstrip("/") for place in places]
    return {abbr: found[abbr] for abbr in abbrs if abbr in found}


def _known_of(configs: Sequence[Config]) -> Iterator[tuple[str, Known]]:
    """Path in OpenCompass's data folder, and what is known of it."""
    for config in configs:
        for path in config.data:
            if known := known_files(path, config.loader, bool(config.units)):
                yield path, known


def _sources(path: str, loader: str, names: Sequence[str], split: str | None, roots: Sequence[str]) -> Iterator[Source]:
    """Of the files that OpenCompass wants at ``path``."""
    known = known_files(path, loader, bool(names))
    if known is None:
        yield Source(_under(roots, ("", "data")), (File(path.removeprefix("data/"), path),))
        return
    folder = path if known.scored else path.rpartition("/")[0]
    folders = (*known.folders, folder, folder.removeprefix("data/"))
    for places in known.places:
        yield Source(_under(roots, folders), tuple(_files(path, known, places, names, split)))
    how = known.files[0][1]
    if not known.scored:
        yield Source(tuple(roots), (File("", path, how),))
    elif path == "data/gsm8k":
        yield Source(tuple(roots), (File("", f"{path}/test.jsonl", how), File("../train.jsonl", f"{path}/train.jsonl")))


def _under(roots: Sequence[str], folders: Sequence[str]) -> tuple[str, ...]:
    every = (f"{root}/{folder}" if folder else root for root in roots for folder in folders)
    return tuple(dict.fromkeys(every))


def _files(path: str, known: Known, places: Sequence[str], names: Sequence[str], split: str | None) -> Iterator[File]:
    for place, (inside, how) in zip(places, known.files, strict=True):
        for name in (names or ("",)) if "{subset}" in place else ("",):
            values = {"subset": name, "split": SPLIT_FILES.get(split or known.split, "")}
            yield File(place.format(**values), "/".join(filter(None, [path, inside.format(**values)])), how)


def _custom(name: str, subsets: Sequence[str], roots: Sequence[str], folder: str) -> Iterator[Source]:
    how = name.removeprefix("general_")
    for pattern in _CUSTOM_PATTERNS[name]:
        if subsets:
            files = tuple(File(pattern.format(subset=s), f"{folder}/{s}.jsonl", how) for s in subsets)
        else:
            files = (File(pattern.format(subset="*"), f"{folder}/", how),)
        yield Source(tuple(roots), files)
    for root in roots:
        if PurePath(root).suffix and not subsets:
            yield Source((root,), (File("", f"{folder}/{subset_of(PurePath(root).name)}.jsonl", how),))


def present(parts_of: Mapping[str, list[list[Source]]]) -> list[str]:
    """The subsets, of those given with their parts, whose files are there."""
    return [subset for subset, own in parts_of.items() if all(map(_is_there, own))]


def _is_there(part: Sequence[Source]) -> bool:
    try:
        choose(part)
    except LayoutError:
        return False
    return True
