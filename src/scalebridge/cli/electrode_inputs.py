"""What every kind of work of ``scalebridge electrode`` reads and says."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from scalebridge.cli.electrode_request import Request
from scalebridge.contracts import ElectrodeDesign, MaterialCard, Provenance
from scalebridge.materials import load_design
from scalebridge.pipeline import code_version, merge_members


@dataclass(frozen=True)
class Loaded:
    """What the files hold."""

    card: MaterialCard
    design: ElectrodeDesign
    provenance: Provenance


def read_inputs(request: Request) -> Loaded:
    """Read card and design."""
    card = MaterialCard.load(request.card)
    loaded = read_design(request.design)
    parents = {"material_card": card.content_hash, "electrode_design": loaded.content_hash}
    provenance = Provenance(
        code_version=code_version(), recipe_hash=card.provenance.recipe_hash, parents=parents
    )
    return Loaded(card, loaded, provenance)


def warn(console: Console, remarks: tuple[str, ...]) -> None:
    """Print remarks, those of several members as one."""
    for text in merge_members(remarks):
        console.print(f"[yellow]warning[/yellow] {escape(text)}")


def read_design(design: str) -> ElectrodeDesign:
    """Read a design: JSON as a run leaves it, TOML as people write it, or a bundled host's by name."""
    if design.endswith(".json"):
        return ElectrodeDesign.load(Path(design))
    return load_design(design, Provenance(code_version=code_version(), recipe_hash=""))
