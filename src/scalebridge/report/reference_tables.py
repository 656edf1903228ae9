"""Tables of what the reference calculator says by itself, before any potential."""

from scalebridge.contracts import Dataset
from scalebridge.foundation.constants import ANGSTROM, EV
from scalebridge.report.numbers import UNKNOWN
from scalebridge.report.tables import Table


def relaxed_table(dataset: Dataset) -> Table:
    """Return the labelled structures at rest: what the reference says before any potential."""
    rows = tuple(
        (
            f"{label.x:g}",
            label.phase or UNKNOWN,
            label.level or UNKNOWN,
            label.space_group,
            f"{label.volume / ANGSTROM**3:.1f}",
            f"{label.largest_force * ANGSTROM / EV:.2f}",
            UNKNOWN if label.pressure is None else f"{1e-9 * label.pressure:+.1f}",
            f"{label.energy / EV:.3f}",
        )
        for label in dataset.relaxed
    )
    header = ("x", "phase", "level", "group", "volume (Å³)", "force (eV/Å)", "pressure (GPa)", "energy (eV)")
    tolerance = max(label.symmetry_tolerance for label in dataset.relaxed) / ANGSTROM
    caption = (
        "The lowest labelled structures at rest, before any potential; per formula unit, space groups within "
        f"{tolerance:.2g} Å."
    )
    return Table(header, rows, caption)


def reference_voltage_table(dataset: Dataset) -> Table:
    """Return the voltages between them."""
    rows = tuple(
        (f"{item.x_low:g} … {item.x_high:g}", item.level or UNKNOWN, f"{item.voltage:.2f}")
        for item in dataset.reference_voltages
    )
    caption = "Mean voltage between the lowest of these structures and the metal, at 0 K."
    return Table(("x", "level", "voltage (V)"), rows, caption)
