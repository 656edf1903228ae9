// From reduced moments to energies and back: expansion, then the tree of products, `width` atoms at once.
// A suffix _dot is a tangent.
#pragma once

#include "kernel_vector.hpp"

namespace scalebridge {
namespace SB_NAMESPACE {

static inline void expand(const Tables& p, double* m) {
    for (int e = 0; e < p.expansions; ++e) {
        const int* row = p.expansion + 4 * e;
        store(m + (long)row[0] * W, load(m + (long)row[1] * W) - load(m + (long)row[2] * W) - load(m + (long)row[3] * W));
    }
}

static inline void expand_back(const Tables& p, double* adjoint) {
    for (int e = p.expansions - 1; e >= 0; --e) {
        const int* row = p.expansion + 4 * e;
        const vec top = load(adjoint + (long)row[0] * W);
        double *a = adjoint + (long)row[1] * W, *b = adjoint + (long)row[2] * W, *c = adjoint + (long)row[3] * W;
        store(a, load(a) + top);
        store(b, load(b) - top);
        store(c, load(c) - top);
    }
}

template <int N, bool first>
static inline void multiply(const Steps& steps, int depth, double* m) {
    for (int g = steps.start[2 * depth + !first]; g < steps.start[2 * depth + !first + 1]; ++g) {
        const int* row = steps.rows + (long)g * (1 + 2 * N);
        vec sum = zero();
#pragma GCC unroll 3
        for (int n = 1; n < 1 + 2 * N; n += 2) sum += load(m + row[n]) * load(m + row[n + 1]);
        sum *= steps.mult[g];
        store(m + row[0], first ? sum : load(m + row[0]) + sum);
    }
}

static inline void multiply(const Tables& p, double* m) {
    for (int depth = 0; depth < p.depths; ++depth) {
        multiply<1, true>(p.singles, depth, m);
        multiply<3, true>(p.triples, depth, m);
        multiply<1, false>(p.singles, depth, m);
        multiply<3, false>(p.triples, depth, m);
    }
}

template <int N, bool first>
static inline void multiply_dot(const Steps& steps, int depth, const double* m, double* m_dot) {
    for (int g = steps.start[2 * depth + !first]; g < steps.start[2 * depth + !first + 1]; ++g) {
        const int* row = steps.rows + (long)g * (1 + 2 * N);
        vec sum = zero();
#pragma GCC unroll 3
        for (int n = 1; n < 1 + 2 * N; n += 2) {
            sum += load(m_dot + row[n]) * load(m + row[n + 1]);
            sum += load(m + row[n]) * load(m_dot + row[n + 1]);
        }
        sum *= steps.mult[g];
        store(m_dot + row[0], first ? sum : load(m_dot + row[0]) + sum);
    }
}

static inline void multiply_dot(const Tables& p, const double* m, double* m_dot) {
    for (int depth = 0; depth < p.depths; ++depth) {
        multiply_dot<1, true>(p.singles, depth, m, m_dot);
        multiply_dot<3, true>(p.triples, depth, m, m_dot);
        multiply_dot<1, false>(p.singles, depth, m, m_dot);
        multiply_dot<3, false>(p.triples, depth, m, m_dot);
    }
}

template <int N>
static inline void multiply_back(const Steps& steps, int depth, const double* m, double* adjoint) {
    for (int g = steps.start[2 * depth + 2] - 1; g >= steps.start[2 * depth]; --g) {
        const int* row = steps.rows + (long)g * (1 + 2 * N);
        const vec top = steps.mult[g] * load(adjoint + row[0]);
#pragma GCC unroll 3
        for (int n = 1; n < 1 + 2 * N; n += 2) {
            const vec left = load(m + row[n]), right = load(m + row[n + 1]);
            store(adjoint + row[n], load(adjoint + row[n]) + top * right);
            store(adjoint + row[n + 1], load(adjoint + row[n + 1]) + top * left);
        }
    }
}

static inline void multiply_back(const Tables& p, const double* m, double* adjoint) {
    for (int depth = p.depths - 1; depth >= 0; --depth) {
        multiply_back<3>(p.triples, depth, m, adjoint);
        multiply_back<1>(p.singles, depth, m, adjoint);
    }
}

// adjoint_dot: tangent of `adjoint` when the moments move along moment_dot.
template <int N>
static inline void multiply_back_dot(const Steps& steps, int depth, const Batch& b) {
    const double *m = b.moment, *m_dot = b.moment_dot, *adjoint = b.adjoint;
    double* adjoint_dot = b.adjoint_dot;
    for (int g = steps.start[2 * depth + 2] - 1; g >= steps.start[2 * depth]; --g) {
        const int* row = steps.rows + (long)g * (1 + 2 * N);
        const vec top = steps.mult[g] * load(adjoint + row[0]), top_dot = steps.mult[g] * load(adjoint_dot + row[0]);
#pragma GCC unroll 3
        for (int n = 1; n < 1 + 2 * N; n += 2) {
            const vec left = top_dot * load(m + row[n]) + top * load(m_dot + row[n]);
            const vec right = top_dot * load(m + row[n + 1]) + top * load(m_dot + row[n + 1]);
            store(adjoint_dot + row[n], load(adjoint_dot + row[n]) + right);
            store(adjoint_dot + row[n + 1], load(adjoint_dot + row[n + 1]) + left);
        }
    }
}

static inline void multiply_back_dot(const Tables& p, const Batch& b) {
    for (int depth = p.depths - 1; depth >= 0; --depth) {
        multiply_back_dot<3>(p.triples, depth, b);
        multiply_back_dot<1>(p.singles, depth, b);
    }
}

static inline void clear(double* m, int count) {
    for (long i = 0; i < count; ++i) store(m + i * W, zero());
}

static inline void seed(const Tables& p, double* adjoint, double weight) {
    for (int n = 0; n < p.seeds; ++n) store(adjoint + p.seed_at[n], spread(weight * p.seed[n]));
}

static inline void energies(const Tables& p, Batch& b) {
    vec energy = zero();
    for (int k = 0; k < p.scalars; ++k) energy += p.xi[k] * load(b.moment + (long)p.scalar[k] * W);
    store(b.energy, energy);
}

static void adjoint(const Tables& p, Batch& b) {
    seed(p, b.adjoint, 1.0);
    multiply_back(p, b.moment, b.adjoint);
    expand_back(p, b.adjoint);
}

}  // namespace SB_NAMESPACE
}  // namespace scalebridge
