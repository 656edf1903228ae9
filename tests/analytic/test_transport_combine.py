"""Barriers and trajectories of a host with a known landscape, combined into contracts."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.data import atomic_masses
from transport_models import BARRIER, FRAME, ION, PERIOD, LandscapeCalculator, LandscapeModel, phase

from scalebridge.contracts import JumpDiffusivity, Provenance, TracerDiffusivity
from scalebridge.foundation import ConvergenceError, InputError, constants
from scalebridge.sampling import HostCell
from scalebridge.transport import (
    BarrierSettings,
    BarrierTask,
    DiffusivityEstimate,
    DynamicsSettings,
    FailedTrajectory,
    TrajectoryResult,
    TrajectoryTask,
    combine,
    run_barrier,
    run_trajectory,
)

PROVENANCE = Provenance(code_version="test", recipe_hash="0")
REPEAT = (2, 2, 2)


def _task(member, end):
    return BarrierTask(
        member, LandscapeCalculator, phase(), ION, REPEAT, end, 0, settings=BarrierSettings(images=5)
    )


@pytest.fixture(scope="module")
def barriers():
    return [run_barrier(_task(0, "empty")), run_barrier(_task(0, "full"))]


def _attempt_frequency(frame_atoms, ions):
    """ν of one ion against the mean of the framework: k = E_b/2 (2π/a)², the others' modes as given."""
    ion, frame = atomic_masses[3], atomic_masses[92]
    k = 0.5 * BARRIER * (2 * np.pi / PERIOD) ** 2
    inverse_frame = 1 / (frame_atoms * frame)
    # Ions coupled through the framework's centre: modes of k(1/m + n/M) (together) and k/m (apart).
    if ions == 1:
        return np.sqrt(k * (1 / ion + inverse_frame)) / (2 * np.pi) * constants.FEMTOSECOND
    return np.sqrt(k / ion) / (2 * np.pi) * constants.FEMTOSECOND


def test_barrier_of_one_ion_is_the_landscape_s(barriers):
    empty = barriers[0]
    assert empty.problem == ""
    assert empty.barrier.forward == pytest.approx(BARRIER, abs=1e-4)
    assert empty.barrier.path_energies.max() == pytest.approx(BARRIER, abs=5e-3)
    assert not empty.barrier.metastable
    assert empty.energies.attempt_frequency == pytest.approx(_attempt_frequency(8, 1), rel=2e-3)


def test_barrier_of_one_vacancy_is_the_same_without_interaction(barriers):
    full = barriers[1]
    assert full.theta == pytest.approx(7 / 8)
    assert full.barrier.forward == pytest.approx(BARRIER, abs=1e-4)
    assert full.energies.attempt_frequency == pytest.approx(_attempt_frequency(8, 7), rel=2e-2)


def test_tasks_and_results_travel_between_processes(barriers):
    assert pickle.loads(pickle.dumps(_task(1, "empty"))).member == 1
    assert pickle.loads(pickle.dumps(barriers[0])).theta == barriers[0].theta


def test_barriers_give_the_walker_and_the_vacancy_tracer(barriers):
    shifted = [
        replace(
            result,
            member=1,
            energies=replace(result.energies, saddle_energy=result.energies.saddle_energy + 0.02),
        )
        for result in barriers
    ]
    tracer, jump = combine([], [*barriers, *shifted], members=2, provenance=PROVENANCE)
    assert TracerDiffusivity.from_json(tracer.model_dump_json()).content_hash == tracer.content_hash
    assert JumpDiffusivity.from_json(jump.model_dump_json()).content_hash == jump.content_hash
    rate = barriers[0].barrier.rate(300.0) * 1e15
    expected = rate * (PERIOD * 1e-10) ** 2
    at_ends = jump.scalar(jump.theta, 300.0)
    assert at_ends[0] == pytest.approx(expected, rel=1e-3)
    assert at_ends[1] == pytest.approx(barriers[1].barrier.rate(300.0) * 1e15 * 9e-20, rel=1e-3)
    # Vacancy mechanism on the simple cubic lattice (Compaan and Haven 1956), one vacancy in eight sites.
    ratio = tracer.scalar(tracer.theta, 300.0)[1] / at_ends[1]
    assert ratio == pytest.approx(0.6531 / 8, rel=5e-3)
    np.testing.assert_allclose(jump.anisotropy[0, 0], np.eye(3), atol=1e-9)
    assert jump.activation_energy[1, 0] - jump.activation_energy[0, 0] == pytest.approx(
        0.02 * constants.EV, rel=1e-6
    )
    spread = 0.02 / (constants.BOLTZMANN_EV * 300)
    assert jump.covariance[0, 1, 1] == pytest.approx(spread**2 / 2, rel=1e-6)
    assert jump.methods == ("barrier", "barrier")
    assert any("correlation factor" in remark for remark in tracer.validity.remarks)


def test_a_failed_member_is_named_and_not_counted_as_spread(barriers):
    failed = replace(barriers[0], member=1, energies=None, barrier=None, problem="the band broke")
    warned = []
    _, jump = combine([], [barriers[0], failed], members=3, provenance=PROVENANCE, warn=warned.append)
    assert any("the band broke" in remark for remark in jump.validity.remarks)
    (text,) = set(warned)
    assert text.startswith("x = 0.125 (barrier): 2 of 3 members (1, 2) have no diffusivity of their own")
    assert text in jump.validity.remarks
    np.testing.assert_allclose(jump.covariance, 0, atol=1e-20)
    with pytest.raises(ConvergenceError, match="the band broke"):
        combine([], [replace(failed, member=0)], members=1, provenance=PROVENANCE)


def test_neighbours_that_the_network_leaves_out_are_stated(barriers):
    network = barriers[0].network
    assert network.dimensions == 3
    _, whole = combine([], [barriers[0]], members=1, provenance=PROVENANCE)
    assert not any("left out" in remark for remark in whole.validity.remarks)
    partial = replace(barriers[0], network=replace(network, left_out=(4.69, 5.67)))
    _, jump = combine([], [partial], members=1, provenance=PROVENANCE)
    expected = (
        "ions hop up to 3.00 Å, which leads in 3 of 3 directions; neighbours at 4.69, 5.67 Å are left out"
    )
    assert f"empty host: {expected}" in jump.validity.remarks


def test_a_cell_too_small_for_the_hop_is_refused():
    with pytest.raises(InputError, match="larger repeat"):
        run_barrier(replace(_task(0, "empty"), repeat=(1, 1, 1)))


class LargestDistance:
    """A grader whose grade is how far the ions are from the framework's origin [Å]."""

    def grade(self, types, positions, cell, pbc):
        return float(np.linalg.norm(positions, axis=1).max())


@pytest.fixture(scope="module")
def trajectories():
    cell = HostCell.from_phase(phase(), ION, REPEAT)
    settings = DynamicsSettings(timestep=3.0, burst=15, duration=60_000, equilibration=3_000)
    results = []
    for temperature in (700.0, 1000.0, 1500.0):
        task = TrajectoryTask(
            0,
            LandscapeModel(),
            cell,
            cell.atoms([0, 3, 5, 6]),
            temperature,
            settings=settings,
            grader=LargestDistance(),
        )
        results.append(run_trajectory(pickle.loads(pickle.dumps(task))))
    return results


def test_dynamics_sees_hops_and_an_activated_diffusivity(trajectories):
    assert all(result.hops >= 5 and not result.upper_bound for result in trajectories)
    tracer, jump = combine(trajectories, [], members=2, provenance=PROVENANCE)
    assert tracer.methods == ("molecular dynamics",)
    energy = tracer.activation_energy[0, 0] / constants.EV
    error = np.sqrt(tracer.covariance[0, 1, 1]) * constants.BOLTZMANN_EV * 300
    assert abs(energy - BARRIER) < 4 * error + 0.03 and error < 0.1
    np.testing.assert_allclose(tracer.anisotropy[0, 0], np.eye(3), atol=1e-6)
    assert len(jump.samples) == 3 and jump.samples[0].hops == trajectories[0].hops
    assert any("extrapolated" in remark for remark in tracer.validity.remarks)
    assert any("1 of 2 members (1) have no diffusivity" in remark for remark in tracer.validity.remarks)


def test_every_kept_state_is_graded_and_the_largest_grade_goes_into_the_contract(trajectories):
    for result in trajectories:
        assert len(result.grades) == 60_000 // 45
        assert result.grades.max() > result.grades.min() > PERIOD / 2
    tracer, _ = combine(trajectories, [], members=1, provenance=PROVENANCE)
    found = {sample.temperature: sample.largest_grade for sample in tracer.samples}
    assert found == {result.temperature: result.grades.max() for result in trajectories}
    ungraded = [replace(result, grades=np.zeros(0)) for result in trajectories]
    assert combine(ungraded, [], members=1, provenance=PROVENANCE)[0].samples[0].largest_grade is None


def test_barrier_and_dynamics_agree_where_they_overlap(trajectories, barriers):
    # Transition state theory bounds the rate from above; recrossing costs at most a factor 3 here.
    dynamics = trajectories[0].tracer
    walker = barriers[0].barrier.rate(700.0) * PERIOD**2
    assert dynamics.mean - 3 * dynamics.error < 1.5 * walker
    assert dynamics.mean + 3 * dynamics.error > walker / 3


def test_no_hop_gives_an_upper_bound_only():
    cell = HostCell.from_phase(phase(), ION, REPEAT)
    settings = DynamicsSettings(timestep=3.0, burst=5, duration=3_000, equilibration=300)
    result = run_trajectory(
        TrajectoryTask(0, LandscapeModel(), cell, cell.atoms([0]), 100.0, settings=settings)
    )
    assert result.upper_bound and result.hops == 0
    assert result.tracer.mean == pytest.approx(PERIOD**2 / (6 * 3000))
    with pytest.raises(ConvergenceError, match="fewer than 3 temperatures"):
        combine([result], [], members=1, provenance=PROVENANCE)


def test_a_displacement_that_does_not_grow_is_an_upper_bound(trajectories, barriers):
    seen = trajectories[0]
    flat = replace(seen, upper_bound=False, tracer=replace(seen.tracer, mean=-1e-6, error=2e-6))
    tracer, _ = combine([flat], barriers, members=1, provenance=PROVENANCE)
    assert tracer.samples[0].upper_bound
    assert tracer.samples[0].diffusivity == pytest.approx(2 * 2e-6 * 1e-5)  # Å²/fs in m²/s


def test_a_runaway_is_reported_and_does_not_stop_the_rest(barriers):
    class Hot(LandscapeModel):
        def evaluate(self, types, positions, cell):
            return replace(super().evaluate(types, positions, cell), forces=30.0 * positions)

    cell = HostCell.from_phase(phase(), ION, REPEAT)
    failed = run_trajectory(TrajectoryTask(0, Hot(), cell, cell.atoms([0]), 300.0))
    assert isinstance(failed, FailedTrajectory) and "shorter timestep" in failed.problem
    _, jump = combine([failed], barriers, members=1, provenance=PROVENANCE)
    assert any("no dynamics" in remark for remark in jump.validity.remarks)


def test_a_band_without_a_saddle_is_called_an_estimate(barriers):
    rough = replace(barriers[0], barrier=replace(barriers[0].barrier, refined=False))
    _, jump = combine([], [rough], members=1, provenance=PROVENANCE)
    assert barriers[0].barrier.refined
    assert any("an estimate" in remark for remark in jump.validity.remarks)


def test_an_empty_start_is_refused():
    cell = HostCell.from_phase(phase(), ION, REPEAT)
    with pytest.raises(InputError, match="0 ions"):
        run_trajectory(TrajectoryTask(0, LandscapeModel(), cell, cell.atoms([]), 300.0))


def test_both_are_stated_where_dynamics_and_barrier_meet(barriers):
    estimate = DiffusivityEstimate(np.eye(3), 1.0, 0.1)
    runs = []
    for temperature in (600.0, 800.0, 1000.0):
        d = float(1e-2 * np.exp(-0.3 / (constants.BOLTZMANN_EV * temperature)))
        e = replace(estimate, tensor=np.eye(3) * d, mean=d, error=0.1 * d)
        empty = barriers[0]
        runs.append(
            TrajectoryResult(
                0, "cubic", empty.x, empty.theta, temperature, e, e, 100, False, temperature, 1, 1e4
            )
        )
    tracer, jump = combine(runs, barriers, members=1, provenance=PROVENANCE)
    assert jump.methods == ("molecular dynamics", "barrier")
    assert any("molecular dynamics is used" in remark for remark in jump.validity.remarks)
    assert tracer.activation_energy[0, 0] == pytest.approx(0.3 * constants.EV, rel=1e-9)
    # D_J/(1−θ): the measured D_J is divided by the fraction of empty sites, 7/8.
    assert jump.prefactor[0, 0] / tracer.prefactor[0, 0] == pytest.approx(8 / 7, rel=1e-9)


def test_model_is_translation_invariant_and_consistent():
    # The test model itself: forces are the energy's derivative.
    atoms = Atoms(FRAME + ION, positions=[[0.1, 0.2, 0], [1.2, 1.0, 2.0]], cell=[PERIOD] * 3, pbc=True)
    atoms.calc = LandscapeCalculator()
    np.testing.assert_allclose(atoms.get_forces().sum(axis=0), 0, atol=1e-12)
    force, energies = atoms.get_forces()[1, 0], []
    for step in (1e-4, -1e-4):
        moved = atoms.copy()
        moved.calc = LandscapeCalculator()
        moved.positions[1, 0] += step
        energies.append(moved.get_potential_energy())
    assert -(energies[0] - energies[1]) / 2e-4 == pytest.approx(force, abs=1e-6)
