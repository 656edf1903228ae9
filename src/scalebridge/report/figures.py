"""The report's figures as self-contained images with captions."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scalebridge.contracts import (
    HomogeneousFreeEnergy,
    Host,
    InterfaceEnergies,
    Isotherm,
    JumpDiffusivity,
    LearningHistory,
    PotentialCard,
    RateCapability,
    Solution,
    StructureTable,
    TracerDiffusivity,
)
from scalebridge.plotting import (
    boundary_text,
    plot_arrhenius,
    plot_boundary_position,
    plot_coverage,
    plot_discharge,
    plot_free_energy,
    plot_lattice_parameters,
    plot_learning_curve,
    plot_parity,
    plot_phase_map,
    plot_rate_capability,
    plot_slab_energy,
    plot_voltage,
    plot_volume,
    rate_name,
    to_svg,
)
from scalebridge.report.run_folder import RunContents

MAP_RATE = 1.0
"""C-rate whose phase boundary is mapped, or the nearest that was run."""


@dataclass(frozen=True)
class Image:
    """A figure inside the page."""

    source: str
    """A data URI."""
    caption: str
    wide: bool


def _image(svg: bytes, caption: str, *, wide: bool = False) -> Image:
    source = "data:image/svg+xml;base64," + base64.b64encode(svg).decode()
    return Image(source=source, caption=caption, wide=wide)


def build_images(run: RunContents, temperature: float) -> dict[str, Image]:
    """Draw every figure whose contracts exist; ``temperature`` [K] chooses the curves shown."""
    return {
        **_potential(run),
        **_thermodynamics(run, temperature),
        **_transport(run),
        **_interfaces(run),
        **_electrode(run),
    }


def _potential(run: RunContents) -> dict[str, Image]:
    images = {}
    card = run.get("potential/potential_card.json", PotentialCard)
    history = run.get("learning/learning_history.json", LearningHistory)
    if card is not None:
        images["parity"] = _image(
            to_svg(plot_parity(card)),
            "Prediction against reference on structures that no fit saw. (a) Energies of all members, "
            "(b) force components of member 0, (c, d) differences.",
            wide=True,
        )
    if history is not None and history.steps:
        images["learning"] = _image(
            to_svg(
                plot_learning_curve(
                    history.steps, break_grade=history.break_grade, save_grade=history.save_grade
                )
            ),
            "Active learning. (a, b) Errors on held-out structures of the potential that explored in each "
            "round, (c) largest extrapolation grade it met, (d) part of the graded structures from which on "
            "they are queued and walkers stop.",
            wide=True,
        )
        images["coverage"] = _image(
            to_svg(plot_coverage(history)),
            "Where active learning went. At each x, from left to right, what the walkers of each round "
            "graded, trials and cell extremes included, and what they queued; to the right the structures "
            "that the final potential was fitted to.",
            wide=True,
        )
    return images


def _thermodynamics(run: RunContents, temperature: float) -> dict[str, Image]:
    images = {}
    table = run.get("thermodynamics/structure_table.json", StructureTable)
    isotherm = run.get("thermodynamics/isotherm.json", Isotherm)
    free_energy = run.get("thermodynamics/homogeneous_free_energy.json", HomogeneousFreeEnergy)
    if table is not None:
        images["volume"] = _image(
            to_svg(plot_volume(table)),
            "Volume per formula unit. Bars: standard error of the sampling; band: range of the members.",
        )
        images["lattice"] = _image(
            to_svg(plot_lattice_parameters(table)),
            "Average lattice parameters of the sampling cell, with the range of the members.",
            wide=True,
        )
    if isotherm is not None:
        images["voltage"] = _image(
            to_svg(plot_voltage(isotherm, free_energy, temperature=temperature)),
            "Equilibrium voltage (line: member 0, band: range of the members; thick: two-phase plateau) and "
            "the voltage of a homogeneous host, which an actual host leaves where it separates into phases.",
        )
    if free_energy is not None:
        images["free_energy"] = _image(
            to_svg(plot_free_energy(free_energy, isotherm, temperature=temperature)),
            "Homogeneous free energy of mixing: sampled points with standard errors, fit with the range of "
            "the members, common tangent and spinodal. The straight line between the ends is subtracted.",
        )
    return images


def _transport(run: RunContents) -> dict[str, Image]:
    images = {}
    tracer = run.get("transport/tracer_diffusivity.json", TracerDiffusivity)
    jump = run.get("transport/jump_diffusivity.json", JumpDiffusivity)
    if tracer is not None:
        images["arrhenius"] = _image(
            to_svg(plot_arrhenius(tracer)),
            "Tracer diffusivity, mean over directions. Lines: Arrhenius law of member 0 with the range of "
            "the members (dashed: from barriers); points: molecular dynamics (full: member 0); arrows: upper "
            "bounds, no hop seen.",
        )
    if jump is not None:
        images["jump"] = _image(
            to_svg(plot_arrhenius(jump)),
            "Jump diffusivity divided by the fraction of empty sites, as the phase field uses it.",
        )
    return images


def _interfaces(run: RunContents) -> dict[str, Image]:
    interfaces = run.get("interfaces/interface_energies.json", InterfaceEnergies)
    if interfaces is None:
        return {}
    return {
        "slab": _image(
            to_svg(plot_slab_energy(interfaces)),
            "Energy of coherent two-phase slabs above their bulk phases; the intercept is twice the "
            "interface energy. Full: member 0; open: the others.",
        )
    }


def _electrode(run: RunContents) -> dict[str, Image]:
    images = {}
    host = run.get("host/host.json", Host)
    rates = run.get("electrode/rate_capability.json", RateCapability)
    solutions = run.solutions()
    if solutions and host is not None:
        images["discharge"] = _image(
            to_svg(plot_discharge(solutions, host)),
            "Galvanostatic discharge, where the solver finished. Thick: member 0; thin: the other members."
            + _teeth(solutions),
        )
    if rates is not None:
        images["rates"] = _image(
            to_svg(plot_rate_capability(rates, host)),
            "Rate capability: (a) capacity and (b) mean voltage of member 0, with the range of the members "
            "whose solver finished.",
            wide=True,
        )
    chosen = _map_solution(solutions)
    return images if chosen is None else images | _maps(chosen)


def _teeth(solutions: Sequence[Solution]) -> str:
    """Say where the teeth of a phase-separating electrode's curve come from."""
    for solution in solutions:
        levels = [solution.fields.get(name) for name in ("boundary_level", "front_level")]
        if any(level is not None and level.values.size for level in levels):
            count = solution.fields["depth"].values.size
            return (
                f" Teeth: one or a few of the {count} particles of the model fill at a time; the many of an "
                "electrode, of many sizes, smooth them."
            )
    return ""


def _maps(solution: Solution) -> dict[str, Image]:
    """Draw the filling inside the particles; a solid solution has no boundary to follow."""
    where = f"at {rate_name(solution.c_rate or 0.0)}, member {solution.member}: {boundary_text(solution)}"
    images = {
        "map": _image(
            to_svg(plot_phase_map(solution)),
            f"Site fraction through electrode depth and particle radius {where}.",
            wide=True,
        )
    }
    if solution.fields["boundary_level"].values.size:
        images["boundary"] = _image(
            to_svg(plot_boundary_position(solution)),
            f"Position of the phase boundary in the particles against time {where}. r/R = 1: it has not "
            "entered the particle; 0: it has left through the centre.",
        )
    return images


def _map_solution(solutions: list[Solution]) -> Solution | None:
    """Return member 0's finished discharge whose rate is nearest to `MAP_RATE`, or None without a map."""
    usable = [
        item
        for item in solutions
        if item.member == 0
        and item.c_rate is not None
        and item.finished
        and {"theta", "boundary_level", "front_level"} <= item.fields.keys()
    ]
    if not usable:
        return None
    return min(usable, key=lambda item: abs(float(np.log((item.c_rate or 1.0) / MAP_RATE))))
