#include "scalebridge/dynamics.hpp"

#include "trajectory.hpp"

namespace scalebridge {

DynamicsState velocity_verlet(const Potential& potential, std::vector<int> types, std::vector<double> positions,
                              std::vector<double> velocities, const std::vector<double>& masses, const Cell& cell,
                              const Periodicity& periodic, double timestep, int steps) {
    Trajectory t(potential, std::move(types), std::move(positions), std::move(velocities), masses, cell, periodic);
    while (t.state().steps_done < steps && t.sound()) {
        t.kick(0.5 * timestep);
        std::vector<double> next = t.atoms().positions;
        const bool sound = t.shift(next, timestep);
        t.settle(std::move(next), sound);
        if (!sound) break;
        t.kick(0.5 * timestep);
        ++t.state().steps_done;
    }
    return t.end();
}

}  // namespace scalebridge
