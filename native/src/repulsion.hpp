// Screened nuclear repulsion of close pairs, smoothly switched off.
#pragma once

#include "batches.hpp"

namespace scalebridge {

// Add half of each close pair's repulsion to the energies of the centres, and with `gradients` its derivatives to
// the pair gradients and virials of the batch.
void add_repulsion(Workspace& w, const PotentialData& data, int width, bool gradients);

}  // namespace scalebridge
