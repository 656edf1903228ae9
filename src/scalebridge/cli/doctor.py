"""``scalebridge doctor``: what is installed, whether it works, and what each missing part would add."""

import importlib.metadata
import importlib.util
import platform
import sys
from dataclasses import dataclass
from typing import Final

from rich.console import Console
from rich.table import Table

from scalebridge.foundation import ScalebridgeError

REQUIRED: Final = {
    "numpy": "arrays",
    "scipy": "optimisers, linear algebra",
    "ase": "structures and calculators",
    "pydantic": "contracts and recipes",
    "spglib": "space groups",
    "numba": "fast lattice and electrode kernels",
    "scikit-sundae": "implicit solver of the electrode",
    "matplotlib": "figures",
    "jinja2": "the report",
}
"""Distribution → what it is for."""


@dataclass(frozen=True)
class OptionalPart:
    """A part that adds something but is not needed."""

    distribution: str
    adds: str
    install: str


OPTIONAL: Final = (
    OptionalPart(
        "chgnet", "the calculator of recipes that label on their own", "pip install 'scalebridge[chgnet]'"
    ),
    OptionalPart(
        "torch",
        "runs CHGNet",
        "pip install torch (a CPU build is enough; see its installation page)",
    ),
    OptionalPart(
        "gpaw",
        "PBE+U as reference calculator (docs/how-to/gpaw.md)",
        "pip install 'scalebridge[gpaw]' with a siteconfig.py",
    ),
    OptionalPart("xarray", "solutions as datasets and NetCDF files", "pip install 'scalebridge[xarray]'"),
    OptionalPart("bpx", "electrodes as BPX files", "pip install 'scalebridge[bpx]'"),
    OptionalPart(
        "ase-db-backends",
        "label stores on PostgreSQL, shared by runs",
        "pip install ase-db-backends psycopg2-binary",
    ),
)


@dataclass(frozen=True)
class Finding:
    """One line of the table."""

    part: str
    state: str
    remark: str
    sound: bool = True


def examine() -> int:
    """Print the table; return 0 if everything required works, else 1."""
    findings = [_python(), _core(), *map(_required, REQUIRED), *map(_optional, OPTIONAL)]
    table = Table(box=None, pad_edge=False)
    for title in ("part", "state", "what it is for, or how to get it"):
        table.add_column(title, overflow="fold")
    for finding in findings:
        missing = "missing" in finding.state
        colour = "red" if not finding.sound else "yellow" if missing else "green"
        table.add_row(finding.part, f"[{colour}]{finding.state}[/{colour}]", finding.remark)
    console = Console()
    console.print(table)
    broken = [finding.part for finding in findings if not finding.sound]
    if broken:
        console.print(f"[red]Not ready: {', '.join(broken)}.[/red]")
        return 1
    console.print("Ready. Missing optional parts only take away what their line says.")
    return 0


def _python() -> Finding:
    supported = sys.version_info >= (3, 11)
    remark = f"{platform.system()} {platform.machine()}" if supported else "3.11 or newer is needed"
    return Finding("python", platform.python_version(), remark, supported)


def _core() -> Finding:
    """Fit and evaluate a tiny potential in compiled code: present is not enough, it has to work."""
    rebuild = "build it with a C++17 compiler (Debian, Ubuntu: apt install g++) by pip install -e ."
    if importlib.util.find_spec("scalebridge._core") is None:
        return Finding("compiled core", "missing", rebuild, sound=False)
    try:
        instructions = try_core()
    except (ScalebridgeError, ImportError, AttributeError, ArithmeticError) as error:
        return Finding("compiled core", "broken", f"{error}; {rebuild}", sound=False)
    return Finding("compiled core", instructions, "potential and dynamics in C++ (instruction set in use)")


def try_core() -> str:
    """Return the instruction set in use, after a fit and an evaluation."""
    from ase import Atoms  # noqa: PLC0415  # slow to import
    from ase.calculators.lj import LennardJones  # noqa: PLC0415
    from ase.calculators.singlepoint import SinglePointCalculator  # noqa: PLC0415

    from scalebridge.potential import fit  # noqa: PLC0415

    frames = []
    for distance in (1.0, 1.2, 1.5):
        atoms = Atoms("Ar2", positions=[[0, 0, 0], [0, 0, distance]], cell=[12, 12, 12], pbc=True)
        atoms.calc = LennardJones()
        energy, forces = atoms.get_potential_energy(), atoms.get_forces()
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
        frames.append(atoms)
    potential = fit(frames, level=2, cutoff=4.0, max_iterations=1)
    energy = potential.compute(frames[1]).energy
    if not abs(energy) < 1e3:
        raise ArithmeticError(f"a test energy came out as {energy}")
    return str(potential.kernel().instructions)


def _required(name: str) -> Finding:
    version = installed_version(name)
    if version is None:
        return Finding(name, "missing", f"{REQUIRED[name]}; pip install {name}", sound=False)
    return Finding(name, version, REQUIRED[name])


def _optional(part: OptionalPart) -> Finding:
    version = installed_version(part.distribution)
    if version is None:
        return Finding(part.distribution, "missing (optional)", f"would add {part.adds}: {part.install}")
    return Finding(part.distribution, version, part.adds)


def installed_version(name: str) -> str | None:
    """Return a distribution's version, None where it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
