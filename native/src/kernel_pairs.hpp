// Passes over the neighbours: moments forward, pair gradients back.
//
// equation symbol -> code name
//   M_{mu, x^a y^b z^c}, c <= 1 -> moment[first[mu] + i]     x^a y^b z^c at r_ij / |r_ij| -> m[i]
//   f_mu, f_mu' -> f, df                                     dV/dM -> adjoint
#pragma once

#include "kernel_vector.hpp"

namespace scalebridge {
namespace SB_NAMESPACE {

constexpr int max_monomials = (max_rank + 1) * (max_rank + 1);

static inline int prefix(int rank) { return (rank + 1) * (rank + 1); }

// T_k(t) and dT_k/dr
struct Chebyshev {
    vec value[max_radial_size], slope[max_radial_size];
};

static inline void chebyshev(const Tables& p, vec r, Chebyshev& out) {
    const double slope = 2.0 / (p.r_max - p.r_min);
    const vec t = (2.0 * r - (p.r_min + p.r_max)) * (0.5 * slope);
    const vec twice = t + t;
    vec t0 = spread(1.0), t1 = t, d0 = zero(), d1 = spread(slope);
    for (int k = 0; k < p.radial_size; ++k) {
        out.value[k] = t0;
        out.slope[k] = d0;
        const vec t2 = twice * t1 - t0, d2 = twice * d1 + (2.0 * slope) * t1 - d0;
        t0 = t1; t1 = t2; d0 = d1; d1 = d2;
    }
}

// The coefficients c[z_i][z_j][mu][k] of each lane's pair of species.
struct Coefficients {
    const Tables& p;
    const Batch& b;
    ivec kind, centre;

    inline vec of_centre(const double* row) const {
        vec out = permute(load(row), kind);
        for (int chunk = W; chunk < p.species; chunk += W)
            out = kind >= chunk ? permute(load(row + chunk), kind) : out;
        return out;
    }
    inline vec at(long offset) const {
        const long stride = (long)p.radial_functions * p.radial_size * p.species_stride;
        const double* row = p.radial + offset * p.species_stride;
        vec out = of_centre(row + b.centre_type[0] * stride);
        for (int c = 1; c < b.centres; ++c) out = centre == c ? of_centre(row + b.centre_type[c] * stride) : out;
        return out;
    }
};

// f_mu and f_mu' at one slot, where the distance they are told is r with the slope `slope`; alike: the slot has
// a common species.
template <bool alike>
static inline void radial_functions(const Tables& p, Batch& b, int n, vec r, vec slope) {
    Chebyshev t;
    chebyshev(p, r, t);
    const vec gap = p.r_max - r;
    const vec window = p.scaling * gap * gap, dwindow = (-2.0 * p.scaling) * gap;
    const Coefficients c = {p, b, *reinterpret_cast<const ivec*>(b.kind + (long)n * W),
                            *reinterpret_cast<const ivec*>(b.centre)};
    const long of_centre = (long)p.radial_functions * p.radial_size * p.species_stride;
    const double* common = p.radial + b.centre_type[0] * of_centre + (alike ? b.common[n] : 0);
    for (int mu = 0; mu < p.radial_functions; ++mu) {
        vec s = zero(), ds = zero();
        for (int k = 0; k < p.radial_size; ++k) {
            const long offset = mu * p.radial_size + k;
            const vec x = alike ? spread(common[offset * p.species_stride]) : c.at(offset);
            s += x * t.value[k];
            ds += x * t.slope[k];
        }
        const long o = ((long)n * p.radial_functions + mu) * W;
        store(b.f + o, s * window);
        store(b.df + o, (ds * window + s * dwindow) * slope);
    }
}

static inline void radial_part(const Tables& p, Batch& b) {
    for (int n = 0; n < b.slots; ++n) {
        const long o = (long)n * W;
        const vec x = load(b.dx + o), y = load(b.dy + o), z = load(b.dz + o);
        const vec r = square_root(x * x + y * y + z * z), inverse = 1.0 / r;
        store(b.ux + o, x * inverse);
        store(b.uy + o, y * inverse);
        store(b.uz + o, z * inverse);
        store(b.inverse + o, inverse);
        const vec seen = b.close ? load(b.seen + o) : r, slope = b.close ? load(b.seen_slope + o) : spread(1.0);
        if (b.common[n] >= 0)
            radial_functions<true>(p, b, n, seen, slope);
        else
            radial_functions<false>(p, b, n, seen, slope);
    }
}

// Unit vectors of S neighbours and the monomials of degree d from d * d on: x^d, x^(d-1) y, ..., y^d, then z
// times x^(d-1), ..., y^(d-1).
struct Monomials {
    vec x[S], y[S], z[S];
    vec m[max_monomials][S];
};

static inline void units(const Batch& b, int n, Monomials& w) {
    for (int s = 0; s < S; ++s) {
        const long o = (long)(n + s) * W;
        w.x[s] = load(b.ux + o);
        w.y[s] = load(b.uy + o);
        w.z[s] = load(b.uz + o);
    }
}

static inline void powers(int rank, Monomials& w) {
    for (int s = 0; s < S; ++s) w.m[0][s] = spread(1.0);
    for (int d = 1; d <= rank; ++d) {
        const int low = (d - 1) * (d - 1), at = d * d;
        for (int i = 0; i < d; ++i)
            for (int s = 0; s < S; ++s) {
                const vec parent = w.m[low + i][s];
                w.m[at + i][s] = parent * w.x[s];
                w.m[at + d + 1 + i][s] = parent * w.z[s];
            }
        for (int s = 0; s < S; ++s) w.m[at + d][s] = w.m[low + d - 1][s] * w.y[s];
    }
}

static inline void accumulate(const Tables& p, Batch& b) {
    Monomials w;
    for (int n = 0; n < b.slots; n += S) {
        units(b, n, w);
        powers(p.rank, w);
        for (int mu = 0; mu < p.radial_functions; ++mu) {
            vec f[S];
            for (int s = 0; s < S; ++s) f[s] = load(b.f + ((long)(n + s) * p.radial_functions + mu) * W);
            double* target = b.moment + (long)p.first[mu] * W;
            const int size = prefix(p.rank_of[mu]);
#pragma GCC unroll 4
            for (int i = 0; i < size; ++i) {
                vec sum = load(target + (long)i * W);
                for (int s = 0; s < S; ++s) sum += f[s] * w.m[i][s];
                store(target + (long)i * W, sum);
            }
        }
    }
}

// Adjoints of the monomials into `am`, dV/df_mu into by_f; returns sum over mu of f_mu' dV/df_mu in `radial`.
static inline void monomial_adjoints(const Tables& p, Batch& b, int n, const Monomials& w,
                                     vec (*am)[S], vec* radial) {
    for (int s = 0; s < S; ++s) radial[s] = zero();
    const int all = prefix(p.rank);
    int filled = 0;
    for (int mu = 0; mu < p.radial_functions; ++mu) {
        const double* adjoint = b.adjoint + (long)p.first[mu] * W;
        const int size = prefix(p.rank_of[mu]);
        vec f[S], even[S], odd[S];
        for (int s = 0; s < S; ++s) {
            f[s] = load(b.f + ((long)(n + s) * p.radial_functions + mu) * W);
            even[s] = odd[s] = zero();
        }
        auto visit = [&](int i, vec* sum, bool fresh) {
            const vec a = load(adjoint + (long)i * W);
            for (int s = 0; s < S; ++s) {
                sum[s] += a * w.m[i][s];
                am[i][s] = fresh ? a * f[s] : am[i][s] + a * f[s];
            }
        };
        int i = 0;
        for (; i + 1 < filled && i + 1 < size; i += 2) {
            visit(i, even, false);
            visit(i + 1, odd, false);
        }
        for (; i < size && i < filled; ++i) visit(i, even, false);
        for (; i + 1 < size; i += 2) {
            visit(i, even, true);
            visit(i + 1, odd, true);
        }
        for (; i < size; ++i) visit(i, even, true);
        if (size > filled) filled = size;
        for (int s = 0; s < S; ++s) {
            const long o = ((long)(n + s) * p.radial_functions + mu) * W;
            const vec by_f = even[s] + odd[s];
            store(b.by_f + o, by_f);
            radial[s] += by_f * load(b.df + o);
        }
    }
    for (int i = filled; i < all; ++i)
        for (int s = 0; s < S; ++s) am[i][s] = zero();
}

static inline void powers_back(int rank, const Monomials& w, vec (*am)[S], vec (*au)[S]) {
    for (int k = 0; k < 3; ++k)
        for (int s = 0; s < S; ++s) au[k][s] = zero();
    for (int d = rank; d > 0; --d) {
        const int low = (d - 1) * (d - 1), at = d * d;
        for (int i = 0; i < d; ++i)
            for (int s = 0; s < S; ++s) {
                const vec parent = w.m[low + i][s], by_x = am[at + i][s], by_z = am[at + d + 1 + i][s];
                au[0][s] += by_x * parent;
                au[2][s] += by_z * parent;
                am[low + i][s] += by_x * w.x[s] + by_z * w.z[s];
            }
        for (int s = 0; s < S; ++s) {
            au[1][s] += am[at + d][s] * w.m[low + d - 1][s];
            am[low + d - 1][s] += am[at + d][s] * w.y[s];
        }
    }
}

static void pair_gradient(const Tables& p, Batch& b) {
    Monomials w;
    vec am[max_monomials][S], au[3][S], radial[S];
    vec total[3] = {zero(), zero(), zero()}, virial[9];
    for (int k = 0; k < 9; ++k) virial[k] = zero();
    for (int n = 0; n < b.slots; n += S) {
        units(b, n, w);
        powers(p.rank, w);
        monomial_adjoints(p, b, n, w, am, radial);
        powers_back(p.rank, w, am, au);
        for (int s = 0; s < S; ++s) {
            const long o = (long)(n + s) * W;
            const vec inverse = load(b.inverse + o);
            const vec along = au[0][s] * w.x[s] + au[1][s] * w.y[s] + au[2][s] * w.z[s];
            const vec radially = radial[s] - along * inverse;
            const vec g[3] = {au[0][s] * inverse + radially * w.x[s], au[1][s] * inverse + radially * w.y[s],
                              au[2][s] * inverse + radially * w.z[s]};
            const vec d[3] = {load(b.dx + o), load(b.dy + o), load(b.dz + o)};
            store(b.gx + o, g[0]);
            store(b.gy + o, g[1]);
            store(b.gz + o, g[2]);
            for (int k = 0; k < 3; ++k) {
                total[k] += g[k];
                for (int l = 0; l < 3; ++l) virial[3 * k + l] += d[k] * g[l];
            }
        }
    }
    for (int k = 0; k < 3; ++k) store(b.total[k], total[k]);
    for (int k = 0; k < 9; ++k) store(b.virial[k], virial[k]);
}

}  // namespace SB_NAMESPACE
}  // namespace scalebridge
