// Neighbour lists under any periodicity and cell shape, each atom's neighbours sorted by species.
#pragma once

#include <array>
#include <vector>

namespace scalebridge {

using Cell = std::array<double, 9>;       // rows are the cell vectors [Å]
using Periodicity = std::array<bool, 3>;

struct Neighbour {
    int atom;
    int type;
    double shift[3];  // r_ij = position[atom] - position[i] + shift
};

struct NeighbourList {
    double cutoff = 0.0;
    std::vector<int> start;            // neighbours of atom i: entries start[i] .. start[i + 1]
    std::vector<Neighbour> entries;
};

// Every pair closer than `cutoff`, images of an atom included. Cost is linear in the number of atoms in
// large cells; in cells smaller than the cutoff all needed images are visited.
// Throws std::invalid_argument when the cell is singular, a coordinate is not finite, or the cutoff asks
// for an absurd number of images.
NeighbourList build_neighbours(int atoms, const int* types, const double* positions, const Cell& cell,
                               const Periodicity& periodic, double cutoff, int species);

}  // namespace scalebridge
