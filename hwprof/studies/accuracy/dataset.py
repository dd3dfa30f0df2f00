"""Folders of labelled images: class subfolders, or one folder and a file of labels (docs/accuracy.md)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hwprof.errors import UsageError
from hwprof.printable import plural

SUFFIXES = frozenset({".jpeg", ".jpg", ".png", ".bmp", ".webp", ".ppm", ".pgm", ".tif", ".tiff"})
FORMATS = "docs/accuracy.md has the formats"
SYNSET = re.compile(r"n\d{8}$")


@dataclass(frozen=True, slots=True)
class LabelledImages:
    """Images and their classes, in the order of names. `unused`: labels of images that are not in the folder."""

    folder: Path
    images: tuple[Path, ...]
    labels: tuple[int, ...]
    unused: int = 0
    folders: tuple[str, ...] = ()  # classes by their folders' names in order, where nothing else says which is which

    def spread(self, limit: int) -> LabelledImages:
        """At most `limit` images, evenly over the whole (names are often in order of classes)."""
        count = len(self.images)
        if not limit or limit >= count:
            return self
        chosen = [i * count // limit for i in range(limit)]
        images, labels = tuple(self.images[i] for i in chosen), tuple(self.labels[i] for i in chosen)
        return LabelledImages(self.folder, images, labels, self.unused, self.folders)

    def fit(self, classes: int) -> None:
        """Raise UsageError where the labels can't be those of a network of `classes` outputs."""
        if self.folders and len(self.folders) != classes:
            raise UsageError(
                f"{len(self.folders)} class folders, but the network has {plural(classes, 'output')}",
                "--synsets FILE says which class each folder is, or name the folders by number",
            )
        worst = max(self.labels)
        if worst >= classes:
            hint = "labels that begin with 1 want --first-class 1" if worst == classes else FORMATS
            raise UsageError(f"label {worst}, but the network's {classes} classes are 0 to {classes - 1}", hint)


@dataclass(frozen=True, slots=True)
class Synsets:
    """WordNet name -> class; `ids`: number of ILSVRC's own (1, 2, ...) -> class, where the file gives them."""

    order: Mapping[str, int]
    ids: Mapping[int, int] = field(default_factory=dict)


def read(folder: Path, labels: Path | None = None, synsets: Path | None = None, first: int = 0) -> LabelledImages:
    """The images below `folder` with their classes. Raises UsageError naming file and line."""
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder", "--images DIR")
    known = None if synsets is None else read_synsets(synsets)
    if labels is not None:
        return _from_file(folder, labels, known, first)
    places = sorted(path for path in folder.iterdir() if path.is_dir())
    if not places:
        raise UsageError(f"{folder} has no class folders", "--labels FILE names each image's class")
    numbers = all(place.name.isdecimal() for place in places)
    classes = [_folder_class(place.name, i, known, numbers) for i, place in enumerate(places)]
    found = [(path, label) for place, label in zip(places, classes, strict=True) for path in _images_below(place)]
    if not found:
        raise UsageError(f"no images below {folder}", f"those that are read: {' '.join(sorted(SUFFIXES))}")
    names = () if known is not None or numbers else tuple(place.name for place in places)
    return LabelledImages(folder, tuple(p for p, _ in found), tuple(c for _, c in found), folders=names)


def _images_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())


def _folder_class(name: str, index: int, known: Synsets | None, numbers: bool) -> int:
    if known is not None:
        if name not in known.order:
            raise UsageError(f"the class folder '{name}' is not among the synsets", FORMATS)
        return known.order[name]
    return int(name) if numbers else index


def _lines(path: Path) -> list[tuple[int, str]]:
    """(number, text) of every line that is neither empty nor a comment."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {getattr(error, 'strerror', None) or 'is no text'}", FORMATS) from error
    return [(i, s.strip()) for i, s in enumerate(text.splitlines(), 1) if s.strip() and not s.strip().startswith("#")]


def _from_file(folder: Path, file: Path, known: Synsets | None, first: int) -> LabelledImages:
    lines = _lines(file)
    images = _images_below(folder)
    if not lines or not images:
        raise UsageError(f"{file if not lines else folder}: nothing in it", FORMATS)
    if all(len(re.split(r"[\s,]+", text)) == 1 for _, text in lines):  # classes alone, in the order of names
        if len(lines) != len(images):
            raise UsageError(
                f"{file} has {plural(len(lines), 'label')} for {plural(len(images), 'image')}",
                "one line per image, in order of names",
            )
        classes = [_class(text, known, first, file, number) for number, text in lines]
        return LabelledImages(folder, tuple(images), tuple(classes))
    by_name = {str(path.relative_to(folder)): path for path in images}
    by_name |= {str(path.relative_to(folder).with_suffix("")): path for path in images}
    found: dict[Path, int] = {}
    unused = 0
    for number, text in lines:
        name, label = _name_and_label(text, file, number)
        image = by_name.get(name) or by_name.get(Path(name).name)
        if number == lines[0][0] and image is None and not re.search(r"\d", text):
            continue  # the heading of a table
        value = _class(label, known, first, file, number)
        if image is None:
            unused += 1
        elif found.setdefault(image, value) != value:
            raise UsageError(f"{file}:{number}: {name} has another label already", FORMATS)
    without = [path for path in images if path not in found]
    if without:
        raise UsageError(
            f"{file} has no label for {plural(len(without), 'image')}, as {without[0].name}", "every image needs one"
        )
    return LabelledImages(folder, tuple(images), tuple(found[path] for path in images), unused)


def _name_and_label(text: str, file: Path, number: int) -> tuple[str, str]:
    """Of "name,label ...", "name label" (the name may have spaces)."""
    if "," in text:
        name, _, rest = text.partition(",")
        label = re.split(r"[\s,]+", rest.strip())[0]
    else:
        name, _, label = text.rpartition(" " if " " in text else "\t")
    if not name.strip() or not label:
        raise UsageError(f"{file}:{number}: '{text[:60]}' is no name and label", FORMATS)
    return name.strip(), label


def _class(label: str, known: Synsets | None, first: int, file: Path, number: int) -> int:
    if SYNSET.match(label):
        if known is None or label not in known.order:
            raise UsageError(f"{file}:{number}: which class is {label}?", "--synsets FILE lists the synsets in order")
        return known.order[label]
    if not re.fullmatch(r"\d+", label):
        raise UsageError(f"{file}:{number}: '{label[:40]}' is no class", FORMATS)
    value = int(label)
    if known is not None and known.ids:
        if value not in known.ids:
            raise UsageError(f"{file}:{number}: no ILSVRC class has the number {value}", FORMATS)
        return known.ids[value]
    if value < first:
        raise UsageError(f"{file}:{number}: class {value} below --first-class {first}", FORMATS)
    return value - first


def read_synsets(path: Path) -> Synsets:
    """A list in the order of classes, or ILSVRC's own numbering (meta.mat, map_clsloc.txt). Raises UsageError."""
    if path.suffix == ".mat":
        return by_number(_meta(path))
    words = [(number, text.split()) for number, text in _lines(path)]
    for number, parts in words:
        if not SYNSET.match(parts[0]):
            raise UsageError(f"{path}:{number}: '{parts[0][:40]}' is no synset", "as n01440764")
    if words and all(len(parts) == 3 and parts[1].isdecimal() for _, parts in words):
        return by_number({int(parts[1]): parts[0] for _, parts in words})
    return Synsets({parts[0]: i for i, (_, parts) in enumerate(words)})


def by_number(names: Mapping[int, str]) -> Synsets:
    """Networks number their classes by the sorted names, ILSVRC by its own list."""
    order = {name: i for i, name in enumerate(sorted(names.values()))}
    return Synsets(order, {number: order[name] for number, name in names.items()})


def _meta(path: Path) -> dict[int, str]:
    """The leaves of the devkit's table: ILSVRC2012_ID -> WNID."""
    from scipy.io import loadmat

    try:
        table = loadmat(str(path), squeeze_me=True)["synsets"]
        return {int(row["ILSVRC2012_ID"]): str(row["WNID"]) for row in table.ravel() if int(row["num_children"]) == 0}
    except (OSError, KeyError, ValueError, IndexError, TypeError, NotImplementedError) as error:
        raise UsageError(f"{path}: is no meta.mat of ILSVRC's development kit", FORMATS) from error
