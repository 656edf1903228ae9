// Derivatives with respect to the radial coefficients: rows of one neighbourhood, and the tangent-over-reverse
// pass of a loss. A suffix _dot is the tangent along the velocities v of r_ij.
#pragma once

#include "kernel_pairs.hpp"
#include "kernel_products.hpp"

namespace scalebridge {
namespace SB_NAMESPACE {

// Unit vectors and monomials of S neighbours with their tangents.
struct Tangents {
    Monomials w;
    vec r_dot[S], x_dot[S], y_dot[S], z_dot[S];
    vec m_dot[max_monomials][S];
};

static inline void units_dot(const Batch& b, int n, Tangents& t) {
    units(b, n, t.w);
    for (int s = 0; s < S; ++s) {
        const long o = (long)(n + s) * W;
        const vec vx = load(b.vx + o), vy = load(b.vy + o), vz = load(b.vz + o), inverse = load(b.inverse + o);
        t.r_dot[s] = t.w.x[s] * vx + t.w.y[s] * vy + t.w.z[s] * vz;
        t.x_dot[s] = (vx - t.w.x[s] * t.r_dot[s]) * inverse;
        t.y_dot[s] = (vy - t.w.y[s] * t.r_dot[s]) * inverse;
        t.z_dot[s] = (vz - t.w.z[s] * t.r_dot[s]) * inverse;
    }
}

static inline void powers_dot(int rank, Tangents& t) {
    Monomials& w = t.w;
    for (int s = 0; s < S; ++s) {
        w.m[0][s] = spread(1.0);
        t.m_dot[0][s] = zero();
    }
    for (int d = 1; d <= rank; ++d) {
        const int low = (d - 1) * (d - 1), at = d * d;
        for (int i = 0; i < d; ++i)
            for (int s = 0; s < S; ++s) {
                const vec parent = w.m[low + i][s], parent_dot = t.m_dot[low + i][s];
                w.m[at + i][s] = parent * w.x[s];
                t.m_dot[at + i][s] = parent * t.x_dot[s] + parent_dot * w.x[s];
                w.m[at + d + 1 + i][s] = parent * w.z[s];
                t.m_dot[at + d + 1 + i][s] = parent * t.z_dot[s] + parent_dot * w.z[s];
            }
        for (int s = 0; s < S; ++s) {
            const vec parent = w.m[low + d - 1][s];
            w.m[at + d][s] = parent * w.y[s];
            t.m_dot[at + d][s] = parent * t.y_dot[s] + t.m_dot[low + d - 1][s] * w.y[s];
        }
    }
}

static inline void accumulate_dot(const Tables& p, Batch& b) {
    Tangents t;
    for (int n = 0; n < b.slots; n += S) {
        units_dot(b, n, t);
        powers_dot(p.rank, t);
        for (int mu = 0; mu < p.radial_functions; ++mu) {
            vec f[S], f_dot[S];
            for (int s = 0; s < S; ++s) {
                const long o = ((long)(n + s) * p.radial_functions + mu) * W;
                f[s] = load(b.f + o);
                f_dot[s] = load(b.df + o) * t.r_dot[s];
            }
            double* target = b.moment_dot + (long)p.first[mu] * W;
            const int size = prefix(p.rank_of[mu]);
#pragma GCC unroll 2
            for (int i = 0; i < size; ++i) {
                vec sum = load(target + (long)i * W);
                for (int s = 0; s < S; ++s) sum += f[s] * t.m_dot[i][s] + f_dot[s] * t.w.m[i][s];
                store(target + (long)i * W, sum);
            }
        }
    }
}

// Adds x_mu Q_k, with slopes also y_mu Q_k', to sums[mu][k].
template <bool slopes>
static inline void add_products(const Tables& p, const Chebyshev& t, const vec* x, const vec* y, double* sums) {
    for (int mu = 0; mu < p.radial_functions; ++mu)
        for (int k = 0; k < p.radial_size; ++k, sums += W) {
            vec sum = load(sums) + x[mu] * t.value[k];
            if (slopes) sum += y[mu] * t.slope[k];
            store(sums, sum);
        }
}

// sums[row of the species][mu][k] += x_mu Q_k + y_mu Q_k' at slot n; without slopes rows are those of one centre
template <bool slopes>
static inline void add_coefficients(const Tables& p, Batch& b, int n, vec* x, vec* y) {
    const long size = (long)p.radial_functions * p.radial_size * W, o = (long)n * W;
    const vec dx = load(b.dx + o), dy = load(b.dy + o), dz = load(b.dz + o);
    const vec r = b.close ? load(b.seen + o) : square_root(dx * dx + dy * dy + dz * dz), gap = p.r_max - r;
    const vec window = p.scaling * gap * gap, dwindow = (-2.0 * p.scaling) * gap;
    Chebyshev t;
    chebyshev(p, r, t);
    for (int mu = 0; mu < p.radial_functions; ++mu) {
        if (slopes && b.close) y[mu] *= load(b.seen_slope + o);
        x[mu] = slopes ? x[mu] * window + y[mu] * dwindow : x[mu] * window;
        if (slopes) y[mu] *= window;
    }
    if (b.common[n] >= 0) {
        const int row = slopes ? b.centre_type[0] * p.species + b.common[n] : b.common[n];
        add_products<slopes>(p, t, x, y, b.sums + row * size);
        return;
    }
    const ivec kind = *reinterpret_cast<const ivec*>(b.kind + o), centre = *reinterpret_cast<const ivec*>(b.centre);
    for (int c = 0; c < (slopes ? b.centres : 1); ++c)
        for (int z = 0; z < p.species; ++z) {
            ivec mask = kind == (long long)z;
            if (slopes) mask &= centre == (long long)c;
            if (!any(mask)) continue;
            vec x_here[max_radial_functions], y_here[max_radial_functions];
            for (int mu = 0; mu < p.radial_functions; ++mu) {
                x_here[mu] = mask ? x[mu] : zero();
                if (slopes) y_here[mu] = mask ? y[mu] : zero();
            }
            const int row = slopes ? b.centre_type[c] * p.species + z : z;
            add_products<slopes>(p, t, x_here, y_here, b.sums + row * size);
        }
}

static inline void load_by_f(const Tables& p, const Batch& b, int n, vec* by_f) {
    for (int mu = 0; mu < p.radial_functions; ++mu) by_f[mu] = load(b.by_f + ((long)n * p.radial_functions + mu) * W);
}

static void radial_adjoints(const Tables& p, Batch& b) {
    Monomials w;
    for (int n = 0; n < b.slots; n += S) {
        units(b, n, w);
        powers(p.rank, w);
        for (int mu = 0; mu < p.radial_functions; ++mu) {
            const double* adjoint = b.adjoint + (long)p.first[mu] * W;
            vec sum[S];
            for (int s = 0; s < S; ++s) sum[s] = zero();
            for (int i = 0; i < prefix(p.rank_of[mu]); ++i)
                for (int s = 0; s < S; ++s) sum[s] += load(adjoint + (long)i * W) * w.m[i][s];
            for (int s = 0; s < S; ++s) store(b.by_f + ((long)(n + s) * p.radial_functions + mu) * W, sum[s]);
        }
    }
}

static void radial_rows(const Tables& p, Batch& b) {
    vec by_f[max_radial_functions];
    for (int n = 0; n < b.slots; ++n) {
        load_by_f(p, b, n, by_f);
        add_coefficients<false>(p, b, n, by_f, nullptr);
    }
}

static void tangent_gradient(const Tables& p, Batch& b, double weight) {
    clear(b.moment_dot, p.reduced);
    accumulate_dot(p, b);
    expand(p, b.moment_dot);
    multiply_dot(p, b.moment, b.moment_dot);
    seed(p, b.adjoint_dot, weight);
    multiply_back_dot(p, b);
    expand_back(p, b.adjoint_dot);
    Tangents t;
    vec by_f[S][max_radial_functions], by_f_dot[S][max_radial_functions];
    for (int n = 0; n < b.slots; n += S) {
        units_dot(b, n, t);
        powers_dot(p.rank, t);
        for (int s = 0; s < S; ++s) load_by_f(p, b, n + s, by_f[s]);
        for (int mu = 0; mu < p.radial_functions; ++mu) {
            const double* adjoint = b.adjoint + (long)p.first[mu] * W;
            const double* adjoint_dot = b.adjoint_dot + (long)p.first[mu] * W;
            vec along[S], across[S];
            for (int s = 0; s < S; ++s) along[s] = across[s] = zero();
            for (int i = 0; i < prefix(p.rank_of[mu]); ++i) {
                const vec a = load(adjoint + (long)i * W), a_dot = load(adjoint_dot + (long)i * W);
                for (int s = 0; s < S; ++s) {
                    along[s] += a * t.m_dot[i][s];
                    across[s] += a_dot * t.w.m[i][s];
                }
            }
            for (int s = 0; s < S; ++s) {
                by_f_dot[s][mu] = along[s] + across[s];
                by_f[s][mu] *= t.r_dot[s];
            }
        }
        for (int s = 0; s < S; ++s) add_coefficients<true>(p, b, n + s, by_f_dot[s], by_f[s]);
    }
}

}  // namespace SB_NAMESPACE
}  // namespace scalebridge
