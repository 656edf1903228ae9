// Inverses of active sets, laid out for the kernels.
#pragma once

#include <vector>

#include "scalebridge/tables.hpp"

namespace scalebridge {

// One matrix per species. The grade of an atom is the largest |b . column| with its row
// b = (dE_i/dc_{z_i z_j mu k}, 1, B_alpha).
class GradeMatrices {
public:
    // inverses[z]: [size][size]; throws std::invalid_argument where a size is wrong
    GradeMatrices(const PotentialData& data, int width, const std::vector<std::vector<double>>& inverses);

    GradeMatrices(GradeMatrices&&) noexcept = default;  // a copy would lie at another distance from a cache line
    GradeMatrices& operator=(GradeMatrices&&) noexcept = default;

    int size() const { return size_; }
    int panels() const { return panels_; }
    const float* of(int species) const { return aligned(matrices_[species]); }

private:
    static const float* aligned(const std::vector<float>& values);

    int size_, panels_;
    std::vector<std::vector<float>> matrices_;  // from a full cache line on: [panel][size][column], zeros behind
};

}  // namespace scalebridge
