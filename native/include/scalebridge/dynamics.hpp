// Velocity-Verlet bursts without a return to Python.
#pragma once

#include <vector>

#include "scalebridge/potential.hpp"

namespace scalebridge {

struct DynamicsState {
    std::vector<double> positions, velocities, energies, forces;
    double virial[9];
    int steps_done;
};

// `steps` steps of length `timestep` in units of sqrt(u/eV) Å; velocities in sqrt(eV/u). Ends early, with
// infinite energies, where a hard core is touched.
DynamicsState velocity_verlet(const Potential& potential, std::vector<int> types, std::vector<double> positions,
                              std::vector<double> velocities, const std::vector<double>& masses, const Cell& cell,
                              const Periodicity& periodic, double timestep, int steps);

}  // namespace scalebridge
