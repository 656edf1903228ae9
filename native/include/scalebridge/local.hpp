// Energies of configurations that differ from a known one in a single atom.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "scalebridge/potential.hpp"

namespace scalebridge {

// One atom taken away, one added, or both.
struct Change {
    int removed;                     // index of an atom, -1: none
    int added;                       // type of an atom, -1: none
    std::array<double, 3> position;  // of the added atom
};

// A configuration with the energy of each atom. Only atoms within the cutoff of what changes are evaluated anew.
class LocalEnergies {
public:
    // The potential must live as long. Throws what Potential::configure throws.
    LocalEnergies(const Potential& potential, Configuration configuration);
    LocalEnergies(LocalEnergies&&) noexcept;
    ~LocalEnergies();

    int atoms() const;
    double energy() const { return energy_; }
    // Energy after a change; infinite where a hard core is touched. The configuration itself stays. Not for two
    // threads at a time.
    double after(const Change& change);
    // Make the change. The atom added becomes the last, or with `in_place` takes the index of the atom removed.
    // Throws std::invalid_argument where the energy after it is infinite.
    void accept(const Change& change, bool in_place);

private:
    struct State;

    void check(const Change& change) const;
    bool find(const Change& change);
    void touch(int slot);
    void write_environments(const Change& change);

    const Potential& potential_;
    double energy_;
    std::unique_ptr<State> state_;
};

}  // namespace scalebridge
