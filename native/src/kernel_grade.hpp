// Extrapolation grades of `width` atoms: a product of their rows with a matrix, of which only the largest entry
// of each row is kept.
#pragma once

#include "kernel_vector.hpp"

namespace scalebridge {
namespace SB_NAMESPACE {

static void largest_product(const float* rows, const float* panels, int size, int count, double* out) {
    constexpr int F = 2 * W, columns = columns_per_lane / 2;  // columns of a panel: vectors of F numbers
    fvec largest[W] = {};
    for (int panel = 0; panel < count; ++panel) {
        fvec sum[W][columns] = {};
        for (int i = 0; i < size; ++i, panels += columns * F) {
            fvec entry[columns];
            for (int c = 0; c < columns; ++c) entry[c] = *reinterpret_cast<const fvec*>(panels + c * F);
#pragma GCC unroll 8
            for (int a = 0; a < W; ++a) {
                const fvec row = rows[i * W + a] - fvec{};
                for (int c = 0; c < columns; ++c) sum[a][c] += row * entry[c];
            }
        }
        for (int a = 0; a < W; ++a)
            for (const fvec& x : sum[a]) {
                const fvec magnitude = x < 0.0f ? -x : x;
                largest[a] = magnitude > largest[a] ? magnitude : largest[a];
            }
    }
    for (int a = 0; a < W; ++a) {
        out[a] = 0.0;
        for (int l = 0; l < F; ++l) out[a] = largest[a][l] > out[a] ? largest[a][l] : out[a];
    }
}

}  // namespace SB_NAMESPACE
}  // namespace scalebridge
