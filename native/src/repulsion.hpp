// Close pairs: screened nuclear repulsion, smoothly switched off, and a polynomial that stands still.
#pragma once

#include "batches.hpp"

namespace scalebridge {

struct SeenDistance {
    double value, slope;
};

// The distance that the radial functions are told for one of r, and its derivative. Below the range `outer` of the
// repulsion, where there are no data, the polynomial is held: the distance falls ever slower, and no more below
// 0.95 of the range, twice continuously differentiable. Without it a hole of the polynomial could be deeper than
// the repulsion is high.
SeenDistance see_distance(double r, double outer);

// Add half of each close pair's repulsion to the energies of the centres, and with `gradients` its derivatives to
// the pair gradients and virials of the batch.
void add_repulsion(Workspace& w, const PotentialData& data, int width, bool gradients);

}  // namespace scalebridge
