// Non-equilibrium switching between two sets of interacting atoms without a return to Python.
#pragma once

#include <vector>

#include "scalebridge/coupled.hpp"

namespace scalebridge {

// An atom that, in the state that lacks it, feels only a spring to a place that follows the framework's mean.
struct Ghost {
    int atom;
    std::array<double, 3> hook;
};

// H = K + (1 - lambda) (U_first + its ghosts) + lambda (U_second + its ghosts), and how lambda goes.
struct SwitchPath {
    std::vector<int> roles;
    std::vector<Ghost> ghosts;       // at most one per atom
    double stiffness;                // of the springs [eV/Å²]
    int framework;                   // atoms 0 .. framework-1, whose mean position the hooks are relative to
    double timestep;                 // in units of sqrt(u/eV) Å
    std::vector<double> couplings;   // lambda of each velocity-Verlet step, between 0 and 1
};

struct SwitchEnd {
    double work;                     // H_second(end) - H_first(start) [eV]; infinite where a state was refused
    double energy;                   // U_second at the end
    std::vector<double> positions, velocities;
    std::vector<double> slopes;      // dH/dlambda at the start and after each step
};

// One evaluation per step for both states. Ends early, with infinite work, where a hard core is touched or the
// trajectory blows up.
SwitchEnd follow_switch(const Potential& potential, std::vector<int> types, std::vector<double> positions,
                        std::vector<double> velocities, const std::vector<double>& masses, const Cell& cell,
                        const SwitchPath& path);

}  // namespace scalebridge
