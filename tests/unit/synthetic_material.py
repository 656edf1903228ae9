"""Consistent, made-up contracts of one host: a regular solution with a miscibility gap.

Only for tests and for looking at figures and report; no number here describes a real material.
"""

import numpy as np
from scipy.optimize import brentq

from scalebridge.contracts import (
    Contract,
    Dataset,
    DiffusivitySample,
    ErrorSummary,
    FileReference,
    FreeEnergyBranch,
    HomogeneousFreeEnergy,
    Host,
    HostPhase,
    InterfaceEnergies,
    Isotherm,
    JumpDiffusivity,
    LearningStep,
    LiteratureValue,
    Plateau,
    PotentialCard,
    Provenance,
    Spinodal,
    Structure,
    StructureTable,
    TracerDiffusivity,
    Validity,
)
from scalebridge.foundation import constants, random_stream

MEMBERS = 5
TEMPERATURES = np.array([300.0, 400.0, 500.0])
OMEGA = 4.5
STANDARD_VOLTAGE = 3.44
EV = constants.EV
ANGSTROM = constants.ANGSTROM


def provenance(**parents: Contract) -> Provenance:
    return Provenance(
        code_version="0.1.0",
        recipe_hash="ab" * 32,
        parents={name: contract.content_hash for name, contract in parents.items()},
    )


def reference(name: str) -> FileReference:
    return FileReference(name=name, sha256="cd" * 32)


def make_host() -> Host:
    framework = Structure(
        symbols=("Fe", "O"),
        cell=np.eye(3) * 4.2 * ANGSTROM,
        scaled_positions=np.array([[0.0, 0, 0], [0.5, 0.5, 0.5]]),
    )
    phase = HostPhase(
        name="toy cubic",
        framework=framework,
        sites=np.array([[0.5, 0.5, 0.0]]),
        formula_units=1,
        composition=0.0,
        source="made up for tests",
    )
    metal = Structure(
        symbols=("Li", "Li"),
        cell=np.eye(3) * 3.43 * ANGSTROM,
        scaled_positions=np.array([[0.0, 0, 0], [0.5, 0.5, 0.5]]),
    )
    return Host(
        provenance=provenance(),
        name="toy <host>",
        formula="FeO",
        ion="Li",
        sites_per_formula_unit=1,
        phases=(phase,),
        metal=metal,
        metal_source="made up for tests",
        formula_mass=0.15776,
        mass_composition=1.0,
        literature=(
            LiteratureValue(quantity="plateau voltage", value="3.42–3.45 V", source="literature"),
            LiteratureValue(quantity="volume change", value="6.5–7 %", source="literature"),
        ),
    )


def make_dataset(host: Host, training: int) -> Dataset:
    return Dataset(
        provenance=provenance(host=host),
        training=reference("training.extxyz"),
        training_size=training,
        held_out=reference("held_out.extxyz"),
        held_out_size=40,
        species=("Fe", "O", "Li"),
        level_of_theory="ase.calculators.lj:LennardJones()",
        calculator_hash="ef" * 32,
        failed=1,
    )


def error_summary(scale: float) -> ErrorSummary:
    return ErrorSummary(
        energy_rmse=3.2e-3 * scale * EV,
        energy_mae=2.4e-3 * scale * EV,
        force_rmse=0.09 * scale * EV / ANGSTROM,
        force_mae=0.06 * scale * EV / ANGSTROM,
        stress_rmse=1.5e8 * scale,
        structures=40,
    )


def make_potential(dataset: Dataset) -> PotentialCard:
    rng = random_stream(1, "potential")
    energy = rng.uniform(-7.6, -6.9, 40)
    predicted = energy + 3e-3 * rng.normal(size=(MEMBERS, 40))
    force = 1.1 * rng.standard_t(4, 800)
    sizes = (60, 84, 103, 117, 121)
    grades = (180.0, 31.0, 12.0, 11.0, 4.2)
    return PotentialCard(
        provenance=provenance(learning=dataset),
        citations=("novikov2021",),
        validity=Validity(remarks=("the active set has no structure below x = 0.05",)),
        members=tuple(reference(f"member_{member}.mtp") for member in range(MEMBERS)),
        species=("Fe", "O", "Li"),
        level=10,
        cutoff=5 * ANGSTROM,
        min_distance=1.4 * ANGSTROM,
        condition_number=3e8,
        selections=(reference("selection_0.almtp"),),
        errors=tuple(error_summary(1 + 0.15 * member) for member in range(MEMBERS)),
        learning=tuple(
            LearningStep(
                round=number,
                training_size=size,
                largest_grade=grade,
                above_save=0.4 * np.exp(-0.6 * number),
                above_break=0.05 * np.exp(-number) * (grade > 10),
                graded=640,
                walkers=8,
                restarted_walkers=int(0 < number < 4),
                broken_walkers=int(grade > 10),
                lost_walkers=int(number == 1),
                stuck_walkers=0,
                queued=90 - 20 * number,
                selected=25 - 5 * number,
                labelled=24 - 5 * number if number < 4 else 0,
                failed=int(number < 4),
                dead_ends=2 if number == 1 else int(number < 4),
                errors=error_summary(1 + 1.5 * np.exp(-number)),
            )
            for number, (size, grade) in enumerate(zip(sizes, grades, strict=True))
        ),
        break_grade=10.0,
        converged=True,
        committee_coverage=0.82,
        parity_reference_energy=energy * EV,
        parity_predicted_energy=predicted * EV,
        parity_reference_force=force * EV / ANGSTROM,
        parity_predicted_force=(force + 0.09 * rng.normal(size=force.size)) * EV / ANGSTROM,
    )


def make_structures(potential: PotentialCard) -> StructureTable:
    x = np.linspace(0, 1, 9)
    rng = random_stream(1, "structures")
    scale = 1 + 0.003 * rng.normal(size=(MEMBERS, 1))
    volume = scale * (70.9 + 4.7 * x + 0.6 * x * (1 - x)) * ANGSTROM**3
    lengths = np.cbrt(4 * volume)[..., None] * np.array([1.02, 1.0, 0.98])
    return StructureTable(
        provenance=provenance(potential=potential),
        temperature=300.0,
        x=x,
        phases=tuple("empty" if value < 0.5 else "full" for value in x),
        space_groups=("Pnma",) * 9,
        symmetry_tolerance=0.1 * ANGSTROM,
        cell=lengths[..., None] * np.eye(3),
        volume=volume,
        volume_error=np.full((MEMBERS, 9), 0.15 * ANGSTROM**3),
        largest_grade=np.full((MEMBERS, 9), 1.8) + 0.5 * np.arange(MEMBERS)[:, None],
    )


def interaction() -> np.ndarray:
    """Regular-solution parameters L_0 (member, temperature, 1): Ω kT(300 K) ± 3 %, T-independent."""
    spread = 1 + 0.03 * random_stream(1, "interaction").normal(size=MEMBERS)
    spread[0] = 1.0
    level = OMEGA * constants.BOLTZMANN * 300.0 * spread
    return np.repeat(level[:, None, None], TEMPERATURES.size, axis=1)


def make_free_energy(potential: PotentialCard) -> HomogeneousFreeEnergy:
    rng = random_stream(1, "free energy")
    slope = -EV * (STANDARD_VOLTAGE + 0.03 * np.r_[0, rng.normal(size=MEMBERS - 1)])
    slope = np.repeat(slope[:, None], TEMPERATURES.size, axis=1)
    theta = np.linspace(0, 1, 9)
    shape = (MEMBERS, TEMPERATURES.size, theta.size)
    branch = FreeEnergyBranch(
        name="toy cubic",
        temperature=TEMPERATURES,
        offset=np.zeros_like(slope),
        slope=slope,
        interaction=interaction(),
        sampled_theta=theta,
        sampled_energy=np.zeros(shape),
        sampled_error=np.full(shape, 1.5e-3 * EV),
        fit_residual=np.full(slope.shape, 1.2e-3 * EV),
    )
    smooth = HomogeneousFreeEnergy(
        provenance=provenance(potential=potential), sites_per_formula_unit=1, branches=(branch,)
    )
    sampled = np.array(
        [
            [smooth.energy(theta, kelvin, member=member) for kelvin in TEMPERATURES]
            for member in range(MEMBERS)
        ]
    )
    sampled = sampled + 1.2e-3 * EV * rng.normal(size=shape)
    return smooth.model_copy(update={"branches": (branch.model_copy(update={"sampled_energy": sampled}),)})


def binodal(omega: float) -> float:
    """Lower binodal of the regular solution, from μ = 0."""
    spinodal = 0.5 - np.sqrt(0.25 - 0.5 / omega)
    return float(brentq(lambda t: np.log(t / (1 - t)) + omega * (1 - 2 * t), 1e-9, spinodal))


def make_isotherm(free_energy: HomogeneousFreeEnergy) -> Isotherm:
    x = np.linspace(0.002, 0.998, 150)
    mu = np.zeros((MEMBERS, TEMPERATURES.size, x.size))
    plateaus, spinodals = [], []
    for member in range(MEMBERS):
        for index, kelvin in enumerate(TEMPERATURES):
            mu[member, index] = free_energy.chemical_potential(x, float(kelvin), member=member)
            level = free_energy.branches[0].interaction[member, index, 0]
            slope = float(free_energy.branches[0].slope[member, index])
            omega = level / (constants.BOLTZMANN * kelvin)
            if omega <= 2:
                continue
            low = binodal(omega)
            mu[member, index][(x > low) & (x < 1 - low)] = slope
            edge = 0.5 - np.sqrt(0.25 - 0.5 / omega)
            common = {"member": member, "temperature": float(kelvin)}
            plateaus.append(Plateau(**common, x_low=low, x_high=1 - low, voltage=-slope / EV))
            spinodals.append(Spinodal(**common, x_low=edge, x_high=1 - edge))
    return Isotherm(
        provenance=provenance(free_energy=free_energy),
        citations=("bennett1976",),
        temperature=TEMPERATURES,
        x=x,
        chemical_potential=mu,
        metal_chemical_potential=np.full((MEMBERS, TEMPERATURES.size), -1.9 * EV),
        voltage=-mu / EV,
        plateaus=tuple(plateaus),
        spinodals=tuple(spinodals),
    )


def diffusivity_arrays() -> dict[str, object]:
    rng = random_stream(1, "transport")
    theta = np.array([0.05, 0.5, 0.95])
    energy = np.array([0.32, 0.41, 0.55]) + 0.02 * np.r_[np.zeros((1, 3)), rng.normal(size=(MEMBERS - 1, 3))]
    return {
        "x": theta,
        "theta": theta,
        "phases": ("empty", "mixed", "full"),
        "methods": ("molecular dynamics", "molecular dynamics", "barrier"),
        "prefactor": np.full((MEMBERS, 3), 2.0e-7),
        "anisotropy": np.tile(np.diag([0.2, 1.0, 0.1]), (MEMBERS, 3, 1, 1)),
        "activation_energy": energy * EV,
        "covariance": np.tile(np.array([[0.3, 0.25], [0.25, 0.6]]), (3, 1, 1)),
    }


def make_tracer(potential: PotentialCard) -> TracerDiffusivity:
    arrays = diffusivity_arrays()
    rng = random_stream(1, "samples")
    samples = []
    for number, x in enumerate((0.05, 0.5)):
        for kelvin in (600.0, 800.0, 1000.0):
            for member in (0, 1):
                value = 0.43 * 2e-7 * np.exp(-(0.32, 0.41)[number] * EV / (constants.BOLTZMANN * kelvin))
                rare = number == 1 and kelvin == 600.0
                samples.append(
                    DiffusivitySample(
                        member=member,
                        x=x,
                        temperature=kelvin,
                        diffusivity=float(value * (1.5 if rare else np.exp(0.15 * rng.normal()))),
                        error=float(0.2 * value),
                        hops=0 if rare else 40,
                        upper_bound=rare,
                    )
                )
    return TracerDiffusivity(
        provenance=provenance(potential=potential),
        citations=("vineyard1957",),
        samples=tuple(samples),
        **arrays,
    )


def make_jump(potential: PotentialCard) -> JumpDiffusivity:
    return JumpDiffusivity(
        provenance=provenance(potential=potential),
        validity=Validity(remarks=("the Haven ratio is taken as 1 at x = 0.95",)),
        **diffusivity_arrays(),
    )


def make_interfaces(structures: StructureTable) -> InterfaceEnergies:
    rng = random_stream(1, "interfaces")
    spread = 1 + 0.08 * np.r_[0, rng.normal(size=MEMBERS - 1)]
    gamma = spread[:, None] * np.array([0.055, 0.09])
    cells = np.tile(np.array([2.0, 3.0, 4.0]), (2, 1))
    slope = spread[:, None] * np.array([0.008, 0.015])
    energy = 2 * gamma[..., None] + slope[..., None] * cells + 0.002 * rng.normal(size=(MEMBERS, 2, 3))
    stiffness = np.diag([140e9, 160e9, 130e9, 40e9, 45e9, 42e9]) + 0.0
    stiffness[:3, :3] += 50e9 * (1 - np.eye(3))
    strain = np.linspace(0, 1, 5)[:, None, None] * np.diag([0.049, 0.035, -0.019])
    return InterfaceEnergies(
        provenance=provenance(structures=structures),
        normals=np.array([[1.0, 0, 0], [0, 1 / np.sqrt(2), 1 / np.sqrt(2)]]),
        slab_cells=cells,
        slab_energy=energy,
        interface_energy=gamma,
        coherency_energy_density=slope / 1e-9,
        gradient_energy=spread[:, None] * np.array([2.1e-11, 0.0]),
        x=np.linspace(0, 1, 5),
        eigenstrain=np.tile(strain, (MEMBERS, 1, 1, 1)),
        stiffness=np.tile(stiffness, (MEMBERS, 2, 1, 1)),
        theta_low=0.0,
        theta_high=1.0,
        coherency_modulus=spread[:, None] * np.array([1.9e8, 4.2e8]),
        stretches=np.tile(np.array([0.981, 1.035, 1.049]), (MEMBERS, 1)),
        cofactor_residual=np.full(MEMBERS, 0.035),
    )
