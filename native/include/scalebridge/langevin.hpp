// Langevin bursts, on request with stochastic rescaling of the cell, without a return to Python.
#pragma once

#include <vector>

#include "scalebridge/dynamics.hpp"

namespace scalebridge {

// Every `every` steps the cell is strained; `rate` is the compressibility over the relaxation time
// [Å³/eV over the unit of time].
struct CellBath {
    bool isotropic;
    int every;
    double rate, pressure;
    std::vector<double> noise;  // standard normal numbers [rescalings][6]: xx yy zz yz xz xy; isotropic: the first
};

struct LangevinPath {
    double timestep;            // in units of sqrt(u/eV) Å
    double decay;               // of the velocities over a step, exp(-friction timestep)
    double thermal_energy;      // kT [eV]
    std::vector<double> noise;  // standard normal numbers [steps][N][3]
    CellBath cell;              // without noise the cell stands still
};

struct LangevinEnd {
    DynamicsState state;
    Cell cell;
};

// Ends early, with infinite energies, where a hard core is touched or the trajectory or its cell blows up.
LangevinEnd follow_langevin(const Potential& potential, std::vector<int> types, std::vector<double> positions,
                            std::vector<double> velocities, const std::vector<double>& masses, const Cell& cell,
                            const LangevinPath& path);

}  // namespace scalebridge
