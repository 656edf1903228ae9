"""A complete run folder of made-up contracts, electrode included. See ``synthetic_material``."""

from pathlib import Path
from typing import Any

import numpy as np
from synthetic_material import (
    MEMBERS,
    STANDARD_VOLTAGE,
    make_dataset,
    make_free_energy,
    make_host,
    make_interfaces,
    make_isotherm,
    make_jump,
    make_potential,
    make_structures,
    make_tracer,
    provenance,
    reference,
)

from scalebridge.contracts import (
    SOLVER_FAILURE,
    ActiveParticles,
    Contract,
    Dataset,
    ElectrodeDesign,
    Electrolyte,
    Field,
    LearningCost,
    LearningCoverage,
    LearningDeadEnd,
    LearningHistory,
    MaterialCard,
    PorousLayer,
    PotentialCard,
    RateCapability,
    RateLaw,
    Solution,
    Sourced,
)
from scalebridge.foundation import random_stream
from scalebridge.particle import boundary_radius
from scalebridge.pipeline import LADDER, Manifest
from scalebridge.pipeline.manifest import collect_outputs

RATES = (0.1, 0.5, 1.0, 2.0, 5.0)
RECIPE = """# The recipe of this run, profile merged in.
profile = "quick"
seed = 7

[host]
name = "toy"

[oracle]
calculator = "ase.calculators.lj:LennardJones"

[learning]
save = 2.1
break = 10.0

[electrode]
c_rates = [0.1, 0.5, 1.0, 2.0, 5.0]
"""


def layer(thickness: float, porosity: float, volumes: int) -> PorousLayer:
    return PorousLayer(
        thickness=Sourced(value=thickness, source="made up for tests"),
        porosity=Sourced(value=porosity, source="made up for tests"),
        bruggeman_exponent=Sourced(value=1.5, source="Bruggeman 1935"),
        volumes=volumes,
    )


def sourced(value: float) -> Sourced:
    return Sourced(value=value, source="made up for tests")


def make_design() -> ElectrodeDesign:
    law = RateLaw(rate_constant=0.3, source="made up for tests")
    return ElectrodeDesign(
        provenance=provenance(),
        name="toy half cell",
        temperature=sourced(300.0),
        separator=layer(25e-6, 0.5, 4),
        cathode=layer(60e-6, 0.35, 10),
        electronic_conductivity=sourced(1.0),
        electrolyte=Electrolyte(
            name="1 M salt",
            concentration=sourced(1000.0),
            cation_diffusivity=sourced(2e-10),
            anion_diffusivity=sourced(3e-10),
        ),
        particles=ActiveParticles(shape="sphere", size=sourced(1e-7), volume_fraction=sourced(0.7)),
        rate_law=law,
        counter_rate_law=law,
        lower_cutoff=sourced(2.6),
        initial_theta=sourced(0.02),
        final_theta=sourced(0.98),
    )


def make_solution(
    card: MaterialCard,
    rate: float,
    member: int,
    *,
    boundary_levels: tuple[float, ...] = (0.5,),
    front_levels: tuple[float, ...] = (),
) -> Solution:
    """Shrinking cores that start earlier and move faster near the separator."""
    levels = np.array(boundary_levels)
    reached = 0.98 / (1 + 0.09 * rate)
    filling = np.linspace(0.02, reached, 60)
    depth = (np.arange(10) + 0.5) / 10
    local = np.clip(filling[:, None] * (1.25 - 0.5 * depth), 0.02, 0.98)
    radius = np.linspace(0, 1, 21)
    core = np.cbrt(1 - local)[..., None]
    theta = 0.02 + 0.96 / (1 + np.exp(-(radius - core) / 0.03))
    voltage = (
        STANDARD_VOLTAGE + 0.02 * member * (-1) ** member - 0.06 * rate
        - 0.025 * np.log((filling + 1e-3) / (1.001 - filling))
        - 0.2 * np.exp((filling - reached) / 0.02)
    )  # fmt: skip
    return Solution(
        provenance=provenance(card=card),
        fields={
            "time": Field(unit="s", axes=("time",), values=(filling - 0.02) * 3600 / rate),
            "voltage": Field(unit="V", axes=("time",), values=voltage),
            "filling": Field(unit="1", axes=("time",), values=filling),
            "map_time": Field(unit="s", axes=("map_time",), values=(filling - 0.02) * 3600 / rate),
            "map_filling": Field(unit="1", axes=("map_time",), values=filling),
            "radius": Field(unit="m", axes=("radius",), values=1e-7 * radius),
            "depth": Field(unit="m", axes=("volume",), values=60e-6 * depth),
            "theta": Field(unit="1", axes=("map_time", "volume", "radius"), values=theta),
            "particle_filling": Field(
                unit="1", axes=("map_time", "volume", "particle"), values=local[..., None]
            ),
            "boundary_level": Field(unit="1", axes=("gap",), values=levels),
            "front_level": Field(unit="1", axes=("front",), values=np.array(front_levels)),
            "phase_boundary": Field(
                unit="m",
                axes=("map_time", "volume", "gap"),
                values=boundary_radius(theta, 1e-7 * radius, levels),
            ),
        },
        status="the discharge reached the voltage cutoff",
        termination="voltage cutoff",
        c_rate=rate,
        member=member,
    )


def make_rates(card: MaterialCard, solutions: dict[tuple[int, float], Solution]) -> RateCapability:
    full = card.host.theoretical_capacity
    shape = (MEMBERS, len(RATES))
    capacity, voltage = np.zeros(shape), np.zeros(shape)
    for (member, rate), solution in solutions.items():
        filling = solution.fields["filling"].values
        column = RATES.index(rate)
        capacity[member, column] = full * (filling[-1] - filling[0]) * (1 + 0.01 * member)
        voltage[member, column] = float(np.mean(solution.fields["voltage"].values))
    return RateCapability(
        provenance=provenance(card=card),
        c_rate=np.array(RATES),
        one_c_current=np.full(MEMBERS, 21.0),
        capacity=capacity,
        mean_voltage=voltage,
        energy=capacity * voltage,
        terminations=(("voltage cutoff",) * len(RATES),) * MEMBERS,
        diffusion_time=np.array([900.0, 700.0, 1300.0, 800.0, 1000.0]),
        reaction_time=np.full(MEMBERS, 250.0),
        electrolyte_time=95.0,
    )


def fail(rates: RateCapability, *where: tuple[int, float]) -> RateCapability:
    """Return rates whose solver failed at ``where`` (member, C-rate), with numbers that must not be shown."""
    ends = [list(row) for row in rates.terminations]
    capacity, voltage = rates.capacity.copy(), rates.mean_voltage.copy()
    for member, rate in where:
        column = RATES.index(rate)
        ends[member][column] = SOLVER_FAILURE
        capacity[member, column], voltage[member, column] = 1.0, 99.0
    return rates.model_copy(
        update={
            "terminations": tuple(tuple(row) for row in ends),
            "capacity": capacity,
            "mean_voltage": voltage,
            "energy": capacity * voltage,
        }
    )


def make_history(labels: Dataset, potential: PotentialCard) -> LearningHistory:
    """Walkers between two volumes that rise with x; the first rounds queue the cells beyond."""
    rng = random_stream(1, "learning")

    def places(count: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
        x = rng.integers(0, 5, count) / 4
        return x, (70.9 + 4.7 * x + spread * rng.normal(size=count)) * 1e-30

    coverage = []
    for step in potential.learning:
        x, volume = places(400, 2.0)
        queued_x, queued_volume = places(step.queued, 3.0)
        learnt = (np.arange(step.queued) < step.labelled).astype(float)
        coverage.append(
            LearningCoverage(
                round=step.round,
                visited_x=x,
                visited_volume=volume,
                visited_grade=np.geomspace(0.3, step.largest_grade, 400),
                queued_x=queued_x,
                queued_volume=queued_volume,
                queued_grade=np.geomspace(2.2, max(step.largest_grade, 2.3), step.queued),
                queued_learnt=learnt,
            )
        )
    x, volume = places(potential.learning[-1].training_size, 2.4)
    return LearningHistory(
        provenance=provenance(labels=labels),
        steps=potential.learning,
        coverage=tuple(coverage),
        training_x=x,
        training_volume=volume,
        dead_ends=(
            make_dead_end("contact", "an ion fell into the framework: Li and O are 0.9 Å apart", 1, False),
            make_dead_end("label", "the reference calculator gave no label", 2, True),
        ),
        dead_end_structures=reference("dead_ends.extxyz"),
        save_grade=2.1,
        break_grade=10.0,
        converged=True,
        reason="a full round passed without a walker above the break grade",
        potential=reference("potential.mtp"),
    )


def make_dead_end(kind: Any, reason: str, number: int, recovered: bool) -> LearningDeadEnd:
    return LearningDeadEnd(
        kind=kind, reason=reason, round=number, walker=3, temperature=900.0, x=0.25, recovered=recovered
    )


def make_cost(labels: Dataset, rounds: int) -> LearningCost:
    exploring, labelling, fitting = (np.linspace(first, 20.0, rounds) for first in (40.0, 300.0, 30.0))
    return LearningCost(
        provenance=provenance(labels=labels),
        total=exploring + labelling + fitting + 2.0,
        exploring=exploring,
        labelling=labelling,
        fitting=fitting,
    )


def make_contracts() -> dict[str, Contract]:
    """Return every contract of a run by its path in the run folder."""
    host = make_host()
    labels, learning = make_dataset(host, 60), make_dataset(host, 121)
    potential = make_potential(learning)
    structures = make_structures(potential)
    free_energy = make_free_energy(potential)
    isotherm = make_isotherm(free_energy)
    tracer, jump = make_tracer(potential), make_jump(potential)
    interfaces = make_interfaces(structures)
    card = MaterialCard(
        provenance=provenance(host=host, potential=potential),
        host=host,
        potential=potential,
        structures=structures,
        isotherm=isotherm,
        free_energy=free_energy,
        tracer_diffusivity=tracer,
        jump_diffusivity=jump,
        interfaces=interfaces,
        site_density=np.full(MEMBERS, 1.37e28),
        molar_volume=np.full(MEMBERS, 4.4e-5),
    )
    solutions = {
        (member, rate): make_solution(card, rate, member) for member in range(MEMBERS) for rate in RATES
    }
    contracts: dict[str, Contract] = {
        "host/host.json": host,
        "labels/dataset.json": labels,
        "learning/dataset.json": learning,
        "learning/learning_history.json": make_history(labels, potential),
        "learning/learning_cost.json": make_cost(labels, len(potential.learning)),
        "potential/potential_card.json": potential,
        "thermodynamics/structure_table.json": structures,
        "thermodynamics/isotherm.json": isotherm,
        "thermodynamics/homogeneous_free_energy.json": free_energy,
        "transport/tracer_diffusivity.json": tracer,
        "transport/jump_diffusivity.json": jump,
        "interfaces/interface_energies.json": interfaces,
        "card/material_card.json": card,
        "electrode/electrode_design.json": make_design(),
        "electrode/rate_capability.json": make_rates(card, solutions),
    }
    for (member, rate), solution in solutions.items():
        contracts[f"electrode/solution_m{member}_c{rate:g}.json"] = solution
    return contracts


def write_run(folder: Path, contracts: dict[str, Contract]) -> Path:
    """Write contracts, manifests and recipe into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.toml").write_text(RECIPE)
    for path, contract in contracts.items():
        (folder / path).parent.mkdir(exist_ok=True)
        contract.save(folder / path)
    for number, stage in enumerate(LADDER):
        if not (folder / stage.name).is_dir():
            continue
        Manifest(
            stage=stage.name,
            key=f"{number:064x}",
            token=f"{number + 100:064x}",
            status="done",
            started=f"2026-01-01T00:{number:02d}:00+00:00",
            wall_time=12.5 * (number + 1),
            warnings=("only 3 temperatures where 5 were asked for",) if stage.name == "transport" else (),
            outputs=collect_outputs(folder / stage.name),
            versions={"scalebridge": "0.1.0", "numpy": np.__version__},
        ).save(folder / stage.name)
    return folder
