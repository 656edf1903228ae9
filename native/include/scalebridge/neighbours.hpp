// Neighbour lists under any periodicity and cell shape.
#pragma once

#include <array>
#include <vector>

namespace scalebridge {

using Cell = std::array<double, 9>;       // rows are the cell vectors [Å]
using Periodicity = std::array<bool, 3>;

// Pairs closer than the cutoff. Neighbours are sites: site k is atom owner[k] displaced by shift[k], sites
// 0 .. atoms-1 are the atoms themselves wrapped into the cell, the others their periodic images. Displacements
// stay as they are when atoms move, so a list made with a skin serves several steps.
struct NeighbourList {
    double cutoff = 0.0;
    std::vector<int> owner;
    std::vector<double> shift;     // [site][3]
    std::vector<int> start;        // neighbours of atom i: entries start[i] .. start[i + 1], by species
    std::vector<int> entries;      // sites
    std::vector<int> order;        // the atoms, those alike in species and number of neighbours side by side
};

// The position wrapped into the cell.
std::array<double, 3> wrapped(const std::array<double, 3>& position, const Cell& cell, const Periodicity& periodic);

// Lattice translations other than zero that are shorter than `cutoff`, [][3].
std::vector<double> translations(const Cell& cell, const Periodicity& periodic, double cutoff);

// The position wrapped into the cell, then those of its images within `cutoff` of the cell, [][3].
std::vector<double> with_images(const std::array<double, 3>& position, const Cell& cell, const Periodicity& periodic,
                                double cutoff);

// Every pair closer than `cutoff`, images of an atom included. Cost is linear in the number of atoms in
// large cells; in cells smaller than the cutoff all needed images are made.
// Throws std::invalid_argument when the cell is singular, a coordinate is not finite, or the cutoff asks
// for an absurd number of images.
NeighbourList build_neighbours(int atoms, const int* types, const double* positions, const Cell& cell,
                               const Periodicity& periodic, double cutoff, int species, int threads = 1);

}  // namespace scalebridge
