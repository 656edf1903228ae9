// Vectors of SB_WIDTH doubles in the language extension of GCC and Clang, and the loops over slots.
#pragma once

#include "scalebridge/kernel_table.hpp"

namespace scalebridge {
namespace SB_NAMESPACE {

constexpr int W = SB_WIDTH;
constexpr int S = slots_at_once;  // neighbours worked on side by side: hides latency, shares loads
typedef double vec __attribute__((vector_size(SB_WIDTH * 8)));
typedef float fvec __attribute__((vector_size(SB_WIDTH * 8)));
typedef long long ivec __attribute__((vector_size(SB_WIDTH * 8)));

static inline vec load(const double* p) { return *reinterpret_cast<const vec*>(p); }
static inline void store(double* p, vec x) { *reinterpret_cast<vec*>(p) = x; }
static inline vec zero() { return vec{}; }
static inline vec spread(double x) { return x - vec{}; }  // minus: 0 + x would be computed, as x may be -0
static inline bool any(ivec mask) {
    long long out = 0;
    for (int l = 0; l < W; ++l) out |= mask[l];
    return out != 0;
}

// lane l of the result: table[index[l] mod W]
static inline vec permute(vec table, ivec index) {
#if defined(__clang__)
    vec out = zero();
    for (int l = 0; l < W; ++l) out[l] = table[index[l] & (W - 1)];
    return out;
#else
    return __builtin_shuffle(table, index);
#endif
}

static inline vec square_root(vec x) {
    for (int l = 0; l < W; ++l) x[l] = __builtin_sqrt(x[l]);
    return x;
}

}  // namespace SB_NAMESPACE
}  // namespace scalebridge
