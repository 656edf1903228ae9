"""Where a host folder, a recipe and a design file lie: bundled by name, or by path."""

from fnmatch import fnmatch
from importlib.resources import files
from pathlib import Path
from typing import Final

from scalebridge.foundation import InputError, hash_file, hash_json
from scalebridge.materials import bundled_designs, host_names

RECIPE_FILE: Final = "recipe.toml"
DESIGN_FILE: Final = "design.toml"
LABELS_FILE: Final = "labels.extxyz"
_NOT_HOST_DATA: Final = ("recipe*.toml", "*.mtp", "design*.toml", LABELS_FILE)
"""Files that hosts bring along for others: a recipe names them, and its hash takes them in."""


def bundled_hosts() -> tuple[str, ...]:
    """Return the names of the hosts that come with scalebridge, with a recipe each."""
    return tuple(name for name in host_names() if (_bundled(name) / RECIPE_FILE).is_file())


def bundled_recipes() -> dict[str, Path]:
    """Return the bundled recipes: ``HOST`` is its recipe.toml, ``HOST-VARIANT`` its recipe-VARIANT.toml."""
    return {
        path.stem.replace("recipe", name, 1): path
        for name in bundled_hosts()
        for path in sorted(_bundled(name).glob("recipe*.toml"), key=lambda path: path.stem)
    }


def _bundled(name: str) -> Path:
    return Path(str(files("scalebridge.materials").joinpath(name)))


def host_folder(name: str) -> Path:
    """Return the folder of a bundled host or the given path.

    Raises
    ------
    InputError
        If ``name`` is neither a bundled host nor a folder.
    """
    if name in bundled_hosts():
        return _bundled(name)
    path = Path(name).expanduser()
    if path.is_dir():
        return path
    raise InputError(
        f"host '{name}': neither a bundled host ({', '.join(bundled_hosts())}) nor a folder; "
        "give one of these names or the path of a host folder"
    )


def recipe_path(recipe: str) -> Path:
    """Return the file of a recipe given by path, by its folder, or by the name of a bundled one.

    Raises
    ------
    InputError
        If there is no such recipe.
    """
    path = Path(recipe).expanduser()
    if path.is_file():
        return path
    if (path / RECIPE_FILE).is_file():
        return path / RECIPE_FILE
    bundled = bundled_recipes()
    if recipe in bundled:
        return bundled[recipe]
    raise InputError(
        f"recipe '{recipe}': no such file and no bundled recipe ({', '.join(bundled)}); "
        "'scalebridge init DIR --host mnhcf' writes one to start from"
    )


def design_path(design: str, host: str) -> Path:
    """Return the file of an electrode design: the host's own for ``bundled``, one by its name, or a path.

    Raises
    ------
    InputError
        If there is no such file.
    """
    named = bundled_designs().get(design, Path(design).expanduser())
    path = host_folder(host) / DESIGN_FILE if design == "bundled" else named
    if path.is_file():
        return path
    raise InputError(
        f"electrode design '{design}': no file {path}; give the path of a design file, "
        f"the name of a bundled one ({', '.join(bundled_designs())}), or 'bundled' for the {DESIGN_FILE} in "
        "the host's folder"
    )


def correction_path(correction: str, host: str) -> Path:
    """Return the file of a correcting potential: of that name in the host's folder, else the given path.

    Raises
    ------
    InputError
        If there is no such file.
    """
    return _host_file(
        f"correction '{correction}'",
        correction,
        host,
        "give a potential (.mtp) fitted with 'scalebridge potential fit --baseline', or leave the key out",
    )


def labels_path(given: str, host: str) -> Path:
    """Return the file of given labels: of that name in the host's folder, else the given path.

    Raises
    ------
    InputError
        If there is no such file.
    """
    return _host_file(
        f"labels.given '{given}'",
        given,
        host,
        "give labelled structures as extended XYZ, or leave the key out",
    )


def prior_path(prior: str, host: str) -> Path:
    """Return the file of a potential that fits correct: of that name in the host's folder, else the path.

    Raises
    ------
    InputError
        If there is no such file.
    """
    return _host_file(
        f"potential.prior '{prior}'", prior, host, "give a potential (.mtp), or leave the key out"
    )


def _host_file(what: str, name: str, host: str, way_out: str) -> Path:
    candidates = (host_folder(host) / name, Path(name).expanduser())
    for path in candidates:
        if path.is_file():
            return path
    raise InputError(f"{what}: neither a file in the host's folder nor {candidates[1]}; {way_out}")


def folder_hash(folder: Path) -> str:
    """Return a hash of a host folder's data, without recipe, design, labels, hidden files and code."""
    files = {
        str(path.relative_to(folder)): hash_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and _is_data(path.relative_to(folder))
    }
    return hash_json(files)


def _is_data(path: Path) -> bool:
    hidden = any(part.startswith((".", "__")) for part in path.parts)
    kept = not any(fnmatch(path.name, pattern) for pattern in _NOT_HOST_DATA)
    return not hidden and kept and path.suffix != ".py"
