// Two states of which each lacks some atoms of the other, evaluated together: the forces of their mixture.
#pragma once

#include <array>
#include <vector>

#include "scalebridge/potential.hpp"

namespace scalebridge {

// In which of the two states an atom is.
enum Role : int { in_both = 0, in_first = 1, in_second = 2 };

// U = (1 - lambda) U_first + lambda U_second of all atoms of a configuration by role.
//
// Moments are sums over neighbours: those over the atoms in both states are made once, then each state adds its own
// atoms' and goes through the products. Derivatives by pairs are linear in the moments' adjoints: the mixture's
// adjoints go back over the shared neighbours once. Atoms without neighbours of one state alone are alike in both.
class CoupledStates {
public:
    // The potential must live as long. Throws what Potential::configure throws, and on unknown roles.
    CoupledStates(const Potential& potential, Configuration configuration, std::vector<int> roles);

    const std::vector<double>& positions() const { return configuration_.positions; }
    void move(std::vector<double> positions);
    // Forces [N][3] of the mixture, 0 <= lambda <= 1; returns both energies, infinite where a hard core is touched.
    std::array<double, 2> forces(double lambda, double* forces) const;

private:
    struct Part;
    struct Sums;
    struct Weights;

    void split();
    void plain_batch(Part& part, int first, Sums& sums) const;
    void mixed_batch(Part& part, int first, double lambda, Sums& sums) const;
    Weights weights(const Workspace& w, double lambda) const;
    void store(const Workspace& own, const Workspace& common, int state, double* energies) const;

    const Potential& potential_;
    Configuration configuration_;
    std::vector<int> roles_;
    Configuration shared_, own_[2];  // the atoms with their neighbours of one role alone; of each, only the list
    int plain_ = 0;                  // so many atoms, first in their order, are alike in both states
};

}  // namespace scalebridge
