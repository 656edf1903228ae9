// The atoms of a trajectory at constant types: kicks, shifts, and the forces at the end of a step.
#pragma once

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "scalebridge/dynamics.hpp"

namespace scalebridge {

constexpr double trajectory_skin = 0.5;  // Å added to the cutoff, so that a neighbour list serves several steps

class Trajectory {
public:
    Trajectory(const Potential& potential, std::vector<int> types, std::vector<double> positions,
               std::vector<double> velocities, const std::vector<double>& masses, const Cell& cell,
               const Periodicity& periodic)
        : potential_(potential), masses_(masses) {
        const std::size_t atoms = types.size();
        if (velocities.size() != 3 * atoms || masses.size() != atoms)
            throw std::invalid_argument("velocities must have shape (N, 3) and masses shape (N,) with N = " +
                                        std::to_string(atoms));
        c_ = potential.configure(std::move(types), std::move(positions), cell, periodic, trajectory_skin);
        s_.energies.resize(atoms);
        s_.forces.resize(3 * atoms);
        s_.velocities = std::move(velocities);
        s_.steps_done = 0;
        evaluate();
    }

    const Configuration& atoms() const { return c_; }
    DynamicsState& state() { return s_; }

    bool sound() const {
        return std::all_of(s_.energies.begin(), s_.energies.end(), [](double e) { return std::isfinite(e); });
    }

    void kick(double time) {
        for (std::size_t i = 0; i < s_.velocities.size(); ++i)
            s_.velocities[i] += time / masses_[i / 3] * s_.forces[i];
    }

    // Positions that move along the velocities; false if one goes as far as the cutoff: the trajectory blew up.
    bool shift(std::vector<double>& positions, double time) const {
        double longest = 0.0;
        for (std::size_t i = 0; i < positions.size(); ++i) {
            const double step = time * s_.velocities[i];
            if (!(std::fabs(step) <= longest)) longest = std::fabs(step);
            positions[i] += step;
        }
        return longest < potential_.data().r_max;
    }

    // Put the atoms at `positions`, with their forces; where they blew up there is no energy to speak of.
    void settle(std::vector<double> positions, bool sound) {
        if (sound) {
            potential_.move(c_, std::move(positions));
            evaluate();
        } else {
            c_.positions = std::move(positions);
            s_.energies.assign(s_.energies.size(), HUGE_VAL);
        }
    }

    // The same in another cell.
    void settle(std::vector<double> positions, const Cell& cell) {
        c_ = potential_.configure(std::move(c_.types), std::move(positions), cell, c_.periodic, trajectory_skin);
        evaluate();
    }

    DynamicsState end() {
        if (!sound()) s_.energies.assign(s_.energies.size(), HUGE_VAL);
        s_.positions = std::move(c_.positions);
        return std::move(s_);
    }

private:
    void evaluate() { potential_.forces(c_, s_.energies.data(), s_.forces.data(), s_.virial); }

    const Potential& potential_;
    const std::vector<double>& masses_;
    Configuration c_;
    DynamicsState s_;
};

}  // namespace scalebridge
