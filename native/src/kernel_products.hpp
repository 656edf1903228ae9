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

static inline void multiply(const Tables& p, double* m) {
    for (int g = 0; g < p.groups; ++g) {
        vec sum = zero();
        for (int t = p.group_start[g]; t < p.group_start[g + 1]; ++t)
            sum += load(m + (long)p.factors[2 * t] * W) * load(m + (long)p.factors[2 * t + 1] * W);
        double* target = m + (long)p.group_target[g] * W;
        store(target, load(target) + p.group_mult[g] * sum);
    }
}

static inline void multiply_dot(const Tables& p, const double* m, double* m_dot) {
    for (int g = 0; g < p.groups; ++g) {
        vec sum = zero();
        for (int t = p.group_start[g]; t < p.group_start[g + 1]; ++t) {
            const long l = (long)p.factors[2 * t] * W, r = (long)p.factors[2 * t + 1] * W;
            sum += load(m_dot + l) * load(m + r) + load(m + l) * load(m_dot + r);
        }
        double* target = m_dot + (long)p.group_target[g] * W;
        store(target, load(target) + p.group_mult[g] * sum);
    }
}

static inline void multiply_back(const Tables& p, const double* m, double* adjoint) {
    for (int g = p.groups - 1; g >= 0; --g) {
        const vec top = p.group_mult[g] * load(adjoint + (long)p.group_target[g] * W);
        for (int t = p.group_start[g]; t < p.group_start[g + 1]; ++t) {
            const long l = (long)p.factors[2 * t] * W, r = (long)p.factors[2 * t + 1] * W;
            store(adjoint + l, load(adjoint + l) + top * load(m + r));
            store(adjoint + r, load(adjoint + r) + top * load(m + l));
        }
    }
}

// `adjoint` as above; `adjoint_dot` its tangent when the moments move along m_dot.
static inline void multiply_back_dot(const Tables& p, const Batch& b) {
    const double *m = b.moment, *m_dot = b.moment_dot;
    double *adjoint = b.adjoint, *adjoint_dot = b.adjoint_dot;
    for (int g = p.groups - 1; g >= 0; --g) {
        const long o = (long)p.group_target[g] * W;
        const vec top = p.group_mult[g] * load(adjoint + o), top_dot = p.group_mult[g] * load(adjoint_dot + o);
        for (int t = p.group_start[g]; t < p.group_start[g + 1]; ++t) {
            const long l = (long)p.factors[2 * t] * W, r = (long)p.factors[2 * t + 1] * W;
            const vec ml = load(m + l), mr = load(m + r);
            store(adjoint_dot + l, load(adjoint_dot + l) + top_dot * mr + top * load(m_dot + r));
            store(adjoint_dot + r, load(adjoint_dot + r) + top_dot * ml + top * load(m_dot + l));
            store(adjoint + l, load(adjoint + l) + top * mr);
            store(adjoint + r, load(adjoint + r) + top * ml);
        }
    }
}

static inline void clear(double* m, int from, int to) {
    for (long i = from; i < to; ++i) store(m + i * W, zero());
}

static inline void seed(const Tables& p, double* adjoint, double weight) {
    clear(adjoint, 0, p.moments);
    for (int k = 0; k < p.scalars; ++k) {
        double* target = adjoint + (long)p.scalar[k] * W;
        store(target, load(target) + weight * p.xi[k]);
    }
}

static inline void energies(const Tables& p, Batch& b) {
    vec energy = zero();
    for (int k = 0; k < p.scalars; ++k) energy += p.xi[k] * load(b.moment + (long)p.scalar[k] * W);
    store(b.energy, energy);
}

static void adjoint(const Tables& p, Batch& b, int alpha) {
    if (alpha < 0) {
        seed(p, b.adjoint, 1.0);
    } else {
        clear(b.adjoint, 0, p.moments);
        store(b.adjoint + (long)p.scalar[alpha] * W, zero() + 1.0);
    }
    multiply_back(p, b.moment, b.adjoint);
    expand_back(p, b.adjoint);
}

}  // namespace SB_NAMESPACE
}  // namespace scalebridge
