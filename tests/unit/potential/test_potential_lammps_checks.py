"""What LAMMPS must have before a potential is coupled to it."""

import pytest
from potential_cases import random_potential

from scalebridge.foundation import InputError
from scalebridge.potential.lammps import couple_lammps


class Instance:
    """What the checks ask of LAMMPS."""

    def __init__(self, units="metal", box=1, ids=(2, 1)):
        self.units, self.box, self.ids = units, box, ids

    def extract_global(self, name):
        return self.units

    def extract_setting(self, name):
        return {"box_exist": self.box, "map_style": 1, "ntypes": 2}[name]

    def gather_atoms(self, name, kind, width):
        return self.ids


@pytest.mark.parametrize(
    ("instance", "elements", "message"),
    [
        (Instance(units="real"), ("Na", "O"), "units real; the potential needs: units metal"),
        (Instance(box=0), ("Na", "O"), "no box or no atom map"),
        (Instance(), ("Na",), "one known element per type"),
        (Instance(), ("Na", "Cu"), "one known element per type"),
        (Instance(ids=(1, 3)), ("Na", "O"), "identifiers are not 1 … N"),
    ],
)
def test_what_does_not_fit_is_refused(instance, elements, message) -> None:
    with pytest.raises(InputError, match=message):
        couple_lammps(instance, random_potential(6, ("Na", "O"), seed=1), elements)
