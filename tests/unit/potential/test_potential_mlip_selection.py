"""Selection states in MLIP-3's form."""

from pathlib import Path

import numpy as np
import pytest
from potential_cases import random_crystal, random_potential

from scalebridge.foundation import FormatError
from scalebridge.potential import ActiveSet, MomentTensorPotential, extrapolation_grades, select

SPECIES = ("Na", "O")
FRAMES = [random_crystal(SPECIES, seed=seed) for seed in range(3)]


@pytest.fixture(scope="module")
def potential() -> MomentTensorPotential:
    return random_potential(6, SPECIES)


def read_as_lammps_does(path: Path, size: int) -> tuple[dict[str, float], np.ndarray]:
    """Lines of words up to one '#', then two matrices without any separator; returns weights and A⁻¹ᵀ."""
    with path.open("rb") as file:
        while file.readline() != b"#MVS_v1.1\n":
            pass
        weights = {}
        for _ in range(5):
            key, value = file.readline().split()
            weights[key.decode()] = float(value)
        assert file.read(1) == b"#"
        matrices = np.fromfile(file, dtype="<f8", count=2 * size * size).reshape(2, size, size)
        assert file.read(3) == b"\n#\n"
        assert file.read() == b"-1 -1\n" * size + b"#\n"
    return weights, matrices[1]


def test_other_codes_find_the_same_grades(potential: MomentTensorPotential, tmp_path: Path) -> None:
    active = ActiveSet.from_frames(potential, FRAMES, kind="shared")
    active.save(tmp_path / "x.almtp", potential)
    weights, inverse = read_as_lammps_does(tmp_path / "x.almtp", potential.n_parameters)
    assert weights == {
        "energy_weight": 0.0,
        "force_weight": 0.0,
        "stress_weight": 0.0,
        "site_en_weight": 1.0,
        "weight_scaling": 2.0,
    }
    probe = random_crystal(SPECIES, seed=9)
    grades = [max(abs(sum(row * line)) for line in inverse) for row in potential.rows(probe)]
    np.testing.assert_allclose(active.grades(potential, probe), grades, rtol=1e-6)
    assert max(grades) > 2.0


@pytest.mark.parametrize("kind", ["shared", "configuration"])
def test_a_state_survives_the_file(potential: MomentTensorPotential, tmp_path: Path, kind: str) -> None:
    active = ActiveSet.from_frames(potential, FRAMES, kind=kind)
    active.save(tmp_path / "x.almtp", potential)
    again, loaded = ActiveSet.load(tmp_path / "x.almtp")
    probe = random_crystal(SPECIES, seed=9)
    assert again.kind == kind
    assert loaded.species == SPECIES
    np.testing.assert_allclose(again.grades(loaded, probe), active.grades(potential, probe), rtol=1e-6)
    assert extrapolation_grades(loaded, again, FRAMES).max() < 1.01
    assert select(loaded, again, [FRAMES[0], probe]) == [1]
    assert MomentTensorPotential.load(tmp_path / "x.almtp").compute_energy(probe) == pytest.approx(
        potential.compute_energy(probe), rel=1e-14
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"force_weight 0", b"force_weight 1", "by other rows than of structures or of neighbourhoods"),
        (b"stress_weight", b"strain_weight", r"has b'strain_weight .* where stress_weight should be"),
        (b"weight_scaling 2", b"weight_scaling", "where weight_scaling should be"),
        (b"\n#\n-1", b"\n-1", "does not hold two matrices of"),
    ],
)
def test_damage_is_named(
    potential: MomentTensorPotential, tmp_path: Path, old: bytes, new: bytes, message: str
) -> None:
    path = tmp_path / "x.almtp"
    ActiveSet.from_frames(potential, FRAMES, kind="shared").save(path, potential)
    data = path.read_bytes()
    assert data.count(old) == 1
    path.write_bytes(data.replace(old, new))
    with pytest.raises(FormatError, match=rf"x.almtp:\d+: .*{message}"):
        ActiveSet.load(path)


def test_matrices_that_do_not_belong_together_are_refused(
    potential: MomentTensorPotential, tmp_path: Path
) -> None:
    path = tmp_path / "x.almtp"
    ActiveSet.from_frames(potential, FRAMES, kind="shared").save(path, potential)
    head, marker, section = path.read_bytes().partition(b"weight_scaling 2\n#")
    path.write_bytes(head + marker + np.full(3, 7.0).tobytes() + section[24:])
    with pytest.raises(FormatError, match="not inverse to each other"):
        ActiveSet.load(path)
