#include "scalebridge/switching.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

namespace scalebridge {
namespace {

constexpr double skin = 0.5;  // Å added to the cutoff, so that a neighbour list serves several steps

// Energies of the ghosts of each state, and the mixture's forces of their springs added to `forces`.
std::array<double, 2> pull_ghosts(const SwitchPath& path, const std::vector<double>& positions, double lambda,
                                  double* forces) {
    std::array<double, 2> energies{};
    double mean[3] = {};
    for (int i = 0; i < path.framework; ++i)
        for (int d = 0; d < 3; ++d) mean[d] += positions[3 * static_cast<std::size_t>(i) + d] / path.framework;
    for (const Ghost& ghost : path.ghosts) {
        const int state = path.roles[ghost.atom] == in_second ? 0 : 1;  // the one that lacks the atom
        const double weight = state == 0 ? 1.0 - lambda : lambda;
        for (int d = 0; d < 3; ++d) {
            const std::size_t at = 3 * static_cast<std::size_t>(ghost.atom) + d;
            const double offset = positions[at] - ghost.hook[d] - mean[d], pull = -path.stiffness * offset;
            energies[state] += 0.5 * path.stiffness * offset * offset;
            forces[at] += weight * pull;
            for (int i = 0; i < path.framework; ++i)
                forces[3 * static_cast<std::size_t>(i) + d] -= weight * pull / path.framework;
        }
    }
    return energies;
}

double kinetic(const std::vector<double>& masses, const std::vector<double>& velocities) {
    double out = 0.0;
    for (std::size_t i = 0; i < velocities.size(); ++i) out += 0.5 * masses[i / 3] * velocities[i] * velocities[i];
    return out;
}

// Move the atoms along their velocities; false if one would go as far as `limit`: the trajectory blew up.
bool drift(CoupledStates& states, const std::vector<double>& velocities, double timestep, double limit) {
    std::vector<double> next = states.positions();
    for (std::size_t i = 0; i < next.size(); ++i) {
        const double step = timestep * velocities[i];
        if (!(std::fabs(step) < limit)) return false;
        next[i] += step;
    }
    states.move(std::move(next));
    return true;
}

void check(const SwitchPath& path, std::size_t atoms, std::size_t velocities, std::size_t masses) {
    if (velocities != 3 * atoms || masses != atoms || path.roles.size() != atoms)
        throw std::invalid_argument("velocities must have shape (N, 3), masses and roles shape (N,) with N = " +
                                    std::to_string(atoms));
    for (double lambda : path.couplings)
        if (!(lambda >= 0.0 && lambda <= 1.0))
            throw std::invalid_argument("coupling " + std::to_string(lambda) + " is not between 0 and 1");
    for (const Ghost& ghost : path.ghosts)
        if (ghost.atom < path.framework || ghost.atom >= static_cast<int>(atoms) || path.roles[ghost.atom] == in_both)
            throw std::invalid_argument("ghost " + std::to_string(ghost.atom) + " is no atom of one state alone");
}

}  // namespace

SwitchEnd follow_switch(const Potential& potential, std::vector<int> types, std::vector<double> positions,
                        std::vector<double> velocities, const std::vector<double>& masses, const Cell& cell,
                        const SwitchPath& path) {
    const std::size_t atoms = types.size(), steps = path.couplings.size();
    check(path, atoms, velocities.size(), masses.size());
    CoupledStates states(
        potential, potential.configure(std::move(types), std::move(positions), cell, {true, true, true}, skin),
        path.roles);
    SwitchEnd out{HUGE_VAL, HUGE_VAL, {}, std::move(velocities), {}};
    std::vector<double> forces(3 * atoms);
    double start = 0.0, end = 0.0;
    bool sound = true;
    for (std::size_t k = 0; k <= steps && sound; ++k) {
        // the half kicks after step k and before step k + 1 at once: the mixture is linear in lambda
        const double before = k > 0 ? path.couplings[k - 1] : 0.0, after = k < steps ? path.couplings[k] : 0.0;
        const double halves = (k > 0) + (k < steps), lambda = halves > 0.0 ? (before + after) / halves : 0.0;
        const std::array<double, 2> model = states.forces(lambda, forces.data());
        const std::array<double, 2> ghosts = pull_ghosts(path, states.positions(), lambda, forces.data());
        out.energy = model[1];
        out.slopes.push_back(model[1] + ghosts[1] - model[0] - ghosts[0]);
        sound = std::isfinite(model[0]) && std::isfinite(model[1]);
        if (k == 0) start = model[0] + ghosts[0] + kinetic(masses, out.velocities);
        for (std::size_t i = 0; i < 3 * atoms; ++i)
            out.velocities[i] += 0.5 * halves * path.timestep / masses[i / 3] * forces[i];
        end = model[1] + ghosts[1];
        if (k == steps || !sound) break;
        sound = drift(states, out.velocities, path.timestep, potential.data().r_max);
    }
    out.positions = states.positions();
    if (sound)
        out.work = end + kinetic(masses, out.velocities) - start;
    else
        out.energy = HUGE_VAL;
    return out;
}

}  // namespace scalebridge
