// Energies of configurations that differ from a known one in a single atom.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "scalebridge/potential.hpp"

namespace scalebridge {

// A configuration with the energy of each atom. Only atoms within the cutoff of what changes are evaluated anew.
class LocalEnergies {
public:
    // The potential must live as long. Throws what Potential::configure throws.
    LocalEnergies(const Potential& potential, Configuration configuration);
    LocalEnergies(LocalEnergies&&) noexcept;
    ~LocalEnergies();

    int atoms() const { return configuration_.atoms; }
    double energy() const { return energy_; }
    // Energy after atom `removed` is taken away and one of type `added` put at `position`; -1: none of it.
    // Infinite where a hard core is touched. The configuration itself stays. Not for two threads at a time.
    double after(int removed, int added, const std::array<double, 3>& position);

private:
    struct Scratch;

    bool find(int removed, int added, const std::array<double, 3>& position);
    void touch(int atom);
    void write_environments(int removed, int added, const std::array<double, 3>& position);

    const Potential& potential_;
    Configuration configuration_;
    std::vector<double> energies_, translations_;
    double energy_;
    std::unique_ptr<Scratch> scratch_;
};

}  // namespace scalebridge
