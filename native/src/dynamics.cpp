#include "scalebridge/dynamics.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

namespace scalebridge {
namespace {

constexpr double skin = 0.5;  // Å added to the cutoff, so that a neighbour list serves several steps

bool finite(const std::vector<double>& energies) {
    return std::all_of(energies.begin(), energies.end(), [](double e) { return std::isfinite(e); });
}

}  // namespace

DynamicsState velocity_verlet(const Potential& potential, std::vector<int> types, std::vector<double> positions,
                              std::vector<double> velocities, const std::vector<double>& masses, const Cell& cell,
                              const Periodicity& periodic, double timestep, int steps) {
    const std::size_t atoms = types.size();
    if (velocities.size() != 3 * atoms || masses.size() != atoms)
        throw std::invalid_argument("velocities must have shape (N, 3) and masses shape (N,) with N = " +
                                    std::to_string(atoms));
    Configuration c = potential.configure(std::move(types), std::move(positions), cell, periodic, skin);
    DynamicsState s;
    s.energies.resize(atoms);
    s.forces.resize(3 * atoms);
    s.velocities = std::move(velocities);
    s.steps_done = 0;
    potential.forces(c, s.energies.data(), s.forces.data(), s.virial);
    while (s.steps_done < steps && finite(s.energies)) {
        double longest = 0.0;
        std::vector<double> next = c.positions;
        for (std::size_t i = 0; i < 3 * atoms; ++i) {
            s.velocities[i] += 0.5 * timestep / masses[i / 3] * s.forces[i];
            const double step = timestep * s.velocities[i];
            if (!(std::fabs(step) <= longest)) longest = std::fabs(step);
            next[i] += step;
        }
        if (!(longest < potential.data().r_max)) {  // blown up: no energy to speak of
            c.positions = std::move(next);
            s.energies.assign(atoms, HUGE_VAL);
            break;
        }
        potential.move(c, std::move(next));
        potential.forces(c, s.energies.data(), s.forces.data(), s.virial);
        for (std::size_t i = 0; i < 3 * atoms; ++i) s.velocities[i] += 0.5 * timestep / masses[i / 3] * s.forces[i];
        ++s.steps_done;
    }
    if (!finite(s.energies)) s.energies.assign(atoms, HUGE_VAL);
    s.positions = std::move(c.positions);
    return s;
}

}  // namespace scalebridge
