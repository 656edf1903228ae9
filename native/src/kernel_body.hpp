// The vector kernels. Included by one translation unit per instruction set, which defines SB_WIDTH (doubles
// per vector), SB_NAMESPACE, SB_FACTORY and SB_NAME. Vectors are those of GCC and Clang.
//
// equation symbol -> code name
//   M_{mu,nu} -> moment[b], b < basic        B_alpha -> moment[scalar[alpha]]
//   f_mu, f_mu' -> f, df                     u = r_ij / |r_ij| -> ux, uy, uz
//   dV/dm -> adjoint                         tangent of m along v -> moment_dot
#include "scalebridge/kernel_table.hpp"

namespace scalebridge {
namespace SB_NAMESPACE {

constexpr int W = SB_WIDTH;
typedef double vec __attribute__((vector_size(SB_WIDTH * 8)));

static inline vec load(const double* p) { return *reinterpret_cast<const vec*>(p); }
static inline void store(double* p, vec x) { *reinterpret_cast<vec*>(p) = x; }
static inline vec zero() { return vec{} ; }

static constexpr int max_monomials = 455;  // rank 12
static constexpr int max_radial = 16;

// Sums over the lanes of W vectors a[0], a[stride], ...: lane l of the result is the sum of a[l * stride].
static inline vec lane_sums(const double* a, long stride) {
#if SB_WIDTH == 8
    vec t[4], u[2];
    for (int i = 0; i < 4; ++i) {
        const vec x = load(a + (2 * i) * stride), y = load(a + (2 * i + 1) * stride);
        t[i] = __builtin_shufflevector(x, y, 0, 8, 2, 10, 4, 12, 6, 14) +
               __builtin_shufflevector(x, y, 1, 9, 3, 11, 5, 13, 7, 15);
    }
    for (int i = 0; i < 2; ++i) {
        u[i] = __builtin_shufflevector(t[2 * i], t[2 * i + 1], 0, 1, 8, 9, 4, 5, 12, 13) +
               __builtin_shufflevector(t[2 * i], t[2 * i + 1], 2, 3, 10, 11, 6, 7, 14, 15);
    }
    return __builtin_shufflevector(u[0], u[1], 0, 1, 2, 3, 8, 9, 10, 11) +
           __builtin_shufflevector(u[0], u[1], 4, 5, 6, 7, 12, 13, 14, 15);
#else
    vec out = zero();
    for (int l = 0; l < W; ++l) {
        const vec x = load(a + l * stride);
        double s = 0.0;
        for (int m = 0; m < W; ++m) s += x[m];
        out[l] = s;
    }
    return out;
#endif
}

static inline double lane_sum(vec x) {
    double s = 0.0;
    for (int m = 0; m < W; ++m) s += x[m];
    return s;
}

// Q_k(r) = s T_k(t) (R - r)^2 and its derivative, k = 0 .. size-1, written to q[k], dq[k].
static inline void radial_basis(const Tables& p, vec r, vec* q, vec* dq) {
    const double slope = 2.0 / (p.r_max - p.r_min);
    const vec t = (2.0 * r - (p.r_min + p.r_max)) / (p.r_max - p.r_min);
    const vec gap = p.r_max - r;
    const vec window = p.scaling * gap * gap, dwindow = -2.0 * p.scaling * gap;
    vec t0 = zero() + 1.0, t1 = t, d0 = zero(), d1 = zero() + slope;
    for (int k = 0; k < p.radial_size; ++k) {
        q[k] = t0 * window;
        dq[k] = d0 * window + t0 * dwindow;
        const vec t2 = 2.0 * t * t1 - t0;
        const vec d2 = 2.0 * (slope * t1 + t * d1) - d0;
        t0 = t1; t1 = t2; d0 = d1; d1 = d2;
    }
}

static inline void radial_functions(const Tables& p, const double* c, vec r, double* f, double* df) {
    const double slope = 2.0 / (p.r_max - p.r_min);
    const vec t = (2.0 * r - (p.r_min + p.r_max)) / (p.r_max - p.r_min);
    const vec gap = p.r_max - r;
    const vec window = p.scaling * gap * gap, dwindow = -2.0 * p.scaling * gap;
    const int n = p.radial_functions;
    vec s[max_radial], ds[max_radial];
    for (int mu = 0; mu < n; ++mu) s[mu] = ds[mu] = zero();
    vec t0 = zero() + 1.0, t1 = t, d0 = zero(), d1 = zero() + slope;
    for (int k = 0; k < p.radial_size; ++k) {
        for (int mu = 0; mu < n; ++mu) {
            const double coefficient = c[mu * p.radial_size + k];
            s[mu] += coefficient * t0;
            ds[mu] += coefficient * d0;
        }
        const vec t2 = 2.0 * t * t1 - t0;
        const vec d2 = 2.0 * (slope * t1 + t * d1) - d0;
        t0 = t1; t1 = t2; d0 = d1; d1 = d2;
    }
    for (int mu = 0; mu < n; ++mu) {
        store(f + mu * W, s[mu] * window);
        store(df + mu * W, ds[mu] * window + s[mu] * dwindow);
    }
}

static inline void powers(const Tables& p, const vec* u, vec* m) {
    m[0] = zero() + 1.0;
    for (int n = 0; n < p.runs; ++n) {
        const vec x = u[p.run_axis[n]];
        for (int i = p.run_start[n]; i < p.run_start[n + 1]; ++i) m[i] = m[p.parent[i]] * x;
    }
}

// powers and their tangents along the velocity ud of the unit vector
static inline void powers_dot(const Tables& p, const vec* u, const vec* ud, vec* m, vec* md) {
    m[0] = zero() + 1.0;
    md[0] = zero();
    for (int n = 0; n < p.runs; ++n) {
        const vec x = u[p.run_axis[n]], xd = ud[p.run_axis[n]];
        for (int i = p.run_start[n]; i < p.run_start[n + 1]; ++i) {
            const vec parent = m[p.parent[i]];
            m[i] = parent * x;
            md[i] = md[p.parent[i]] * x + parent * xd;
        }
    }
}

// sum over the basic moments of f_mu: adjoint times monomial
static inline vec radial_adjoint(const Tables& p, const double* adj, const vec* m, int mu) {
    vec s = zero();
    for (int e = p.entry_start[mu]; e < p.entry_start[mu + 1]; ++e)
        s += adj[(long)p.entry_basic[e] * W] * m[p.entry_monomial[e]];
    return s;
}

static inline const double* coefficients(const Tables& p, int zi, int zj) {
    return p.radial + (long)(zi * p.species + zj) * p.radial_functions * p.radial_size;
}

static inline void unit(const Batch& b, int block, vec* u, vec& r) {
    const long o = (long)block * W;
    r = load(b.r + o);
    const vec inverse = 1.0 / r;
    u[0] = load(b.dx + o) * inverse;
    u[1] = load(b.dy + o) * inverse;
    u[2] = load(b.dz + o) * inverse;
}

static inline void reduce_basic(const Tables& p, const Batch& b, double* moment) {
    const long stride = (long)p.basic * W;
    for (int i = 0; i < p.basic; ++i) store(moment + (long)i * W, lane_sums(b.accumulator + (long)i * W, stride));
}

static void forward(const Tables& p, Batch& b) {
    const int n = p.radial_functions;
    const long size = (long)p.basic * W;
    for (long i = 0; i < size * W; ++i) b.accumulator[i] = 0.0;
    vec m[max_monomials], u[3], r;
    for (int a = 0; a < b.count; ++a) {
        double* acc = b.accumulator + a * size;
        for (int block = b.block_start[a]; block < b.block_start[a + 1]; ++block) {
            double* f = b.f + (long)block * n * W;
            unit(b, block, u, r);
            radial_functions(p, coefficients(p, b.type[a], b.block_type[block]), r, f, b.df + (long)block * n * W);
            powers(p, u, m);
            for (int mu = 0; mu < n; ++mu) {
                const vec fm = load(f + mu * W);
                for (int e = p.entry_start[mu]; e < p.entry_start[mu + 1]; ++e) {
                    double* target = acc + (long)p.entry_basic[e] * W;
                    store(target, load(target) + fm * m[p.entry_monomial[e]]);
                }
            }
        }
    }
    reduce_basic(p, b, b.moment);
    double* m0 = b.moment;
    for (int g = 0; g < p.targets; ++g) {
        vec s = zero();
        for (int t = p.target_start[g]; t < p.target_start[g + 1]; ++t)
            s += p.mult[t] * load(m0 + (long)p.left[t] * W) * load(m0 + (long)p.right[t] * W);
        store(m0 + (long)p.target[g] * W, s);
    }
    vec energy = zero();
    for (int k = 0; k < p.scalars; ++k) energy += p.xi[k] * load(m0 + (long)p.scalar[k] * W);
    for (int a = 0; a < W; ++a) b.energy[a] = energy[a];
}

static inline void contract_back(const Tables& p, const double* m, double* adj) {
    for (int g = p.targets - 1; g >= 0; --g) {
        const vec top = load(adj + (long)p.target[g] * W);
        for (int t = p.target_start[g]; t < p.target_start[g + 1]; ++t) {
            const vec w = p.mult[t] * top;
            const long l = (long)p.left[t] * W, r = (long)p.right[t] * W;
            store(adj + l, load(adj + l) + w * load(m + r));
            store(adj + r, load(adj + r) + w * load(m + l));
        }
    }
}

static void adjoint(const Tables& p, Batch& b) {
    for (long i = 0; i < (long)p.moments * W; ++i) b.adjoint[i] = 0.0;
    for (int k = 0; k < p.scalars; ++k) {
        double* target = b.adjoint + (long)p.scalar[k] * W;
        store(target, load(target) + p.xi[k]);
    }
    contract_back(p, b.moment, b.adjoint);
}

static void adjoint_single(const Tables& p, Batch& b, int alpha) {
    for (long i = 0; i < (long)p.moments * W; ++i) b.adjoint[i] = 0.0;
    store(b.adjoint + (long)p.scalar[alpha] * W, zero() + 1.0);
    contract_back(p, b.moment, b.adjoint);
}

static void pair_gradient(const Tables& p, Batch& b) {
    const int n = p.radial_functions;
    vec m[max_monomials], am[max_monomials], u[3], r;
    for (int a = 0; a < b.count; ++a) {
        const double* adj = b.adjoint + a;
        for (int block = b.block_start[a]; block < b.block_start[a + 1]; ++block) {
            const double* f = b.f + (long)block * n * W;
            const double* df = b.df + (long)block * n * W;
            unit(b, block, u, r);
            powers(p, u, m);
            for (int i = 0; i < p.monomials; ++i) am[i] = zero();
            vec ar = zero();
            for (int mu = 0; mu < n; ++mu) {
                const vec fm = load(f + mu * W);
                vec s = zero();
                for (int e = p.entry_start[mu]; e < p.entry_start[mu + 1]; ++e) {
                    const double weight = adj[(long)p.entry_basic[e] * W];
                    const int i = p.entry_monomial[e];
                    s += weight * m[i];
                    am[i] += weight * fm;
                }
                ar += s * load(df + mu * W);
            }
            vec au[3] = {zero(), zero(), zero()};
            for (int k = p.runs - 1; k >= 0; --k) {
                const int axis = p.run_axis[k];
                const vec x = u[axis];
                vec s = zero();
                for (int i = p.run_start[k]; i < p.run_start[k + 1]; ++i) {
                    const int parent = p.parent[i];
                    s += am[i] * m[parent];
                    am[parent] += am[i] * x;
                }
                au[axis] += s;
            }
            const vec along = au[0] * u[0] + au[1] * u[1] + au[2] * u[2];
            const vec inverse = 1.0 / r;
            const vec radial = ar - along * inverse;
            const long o = (long)block * W;
            store(b.gx + o, au[0] * inverse + radial * u[0]);
            store(b.gy + o, au[1] * inverse + radial * u[1]);
            store(b.gz + o, au[2] * inverse + radial * u[2]);
        }
    }
}

// out[mu][k] += lane sums of the accumulators
static inline void flush(const Tables& p, vec* sums, double* out) {
    for (int i = 0; i < p.radial_functions * p.radial_size; ++i) {
        out[i] += lane_sum(sums[i]);
        sums[i] = zero();
    }
}

static constexpr int max_coefficients = 512;

static void radial_rows(const Tables& p, Batch& b, double* const* out) {
    const int n = p.radial_functions, size = p.radial_size;
    vec m[max_monomials], u[3], r, q[64], dq[64], sums[max_coefficients];
    for (int i = 0; i < n * size; ++i) sums[i] = zero();
    for (int a = 0; a < b.count; ++a) {
        const double* adj = b.adjoint + a;
        for (int block = b.block_start[a]; block < b.block_start[a + 1]; ++block) {
            unit(b, block, u, r);
            powers(p, u, m);
            radial_basis(p, r, q, dq);
            for (int mu = 0; mu < n; ++mu) {
                const vec x = radial_adjoint(p, adj, m, mu);
                for (int k = 0; k < size; ++k) sums[mu * size + k] += x * q[k];
            }
            if (block + 1 == b.block_start[a + 1] || b.block_type[block + 1] != b.block_type[block])
                flush(p, sums, out[a] + (long)b.block_type[block] * n * size);
        }
    }
}

static void tangent_moments(const Tables& p, Batch& b) {
    const int n = p.radial_functions;
    const long size = (long)p.basic * W;
    for (long i = 0; i < size * W; ++i) b.accumulator[i] = 0.0;
    vec m[max_monomials], md[max_monomials], u[3], r;
    for (int a = 0; a < b.count; ++a) {
        double* acc = b.accumulator + a * size;
        for (int block = b.block_start[a]; block < b.block_start[a + 1]; ++block) {
            const double* f = b.f + (long)block * n * W;
            const double* df = b.df + (long)block * n * W;
            const long o = (long)block * W;
            unit(b, block, u, r);
            const vec v[3] = {load(b.vx + o), load(b.vy + o), load(b.vz + o)};
            const vec rd = u[0] * v[0] + u[1] * v[1] + u[2] * v[2];
            const vec inverse = 1.0 / r;
            vec ud[3];
            for (int d = 0; d < 3; ++d) ud[d] = (v[d] - u[d] * rd) * inverse;
            powers_dot(p, u, ud, m, md);
            for (int mu = 0; mu < n; ++mu) {
                const vec fm = load(f + mu * W), fd = load(df + mu * W) * rd;
                for (int e = p.entry_start[mu]; e < p.entry_start[mu + 1]; ++e) {
                    double* target = acc + (long)p.entry_basic[e] * W;
                    const int i = p.entry_monomial[e];
                    store(target, load(target) + fm * md[i] + fd * m[i]);
                }
            }
        }
    }
    reduce_basic(p, b, b.moment_dot);
    const double* m0 = b.moment;
    double* m1 = b.moment_dot;
    for (int g = 0; g < p.targets; ++g) {
        vec s = zero();
        for (int t = p.target_start[g]; t < p.target_start[g + 1]; ++t) {
            const long l = (long)p.left[t] * W, q = (long)p.right[t] * W;
            s += p.mult[t] * (load(m1 + l) * load(m0 + q) + load(m0 + l) * load(m1 + q));
        }
        store(m1 + (long)p.target[g] * W, s);
    }
}

static void tangent_adjoints(const Tables& p, Batch& b) {
    vec weight = zero();
    for (int a = 0; a < W; ++a) weight[a] = b.energy_weight[a];
    for (long i = 0; i < (long)p.moments * W; ++i) b.adjoint[i] = b.adjoint_dot[i] = 0.0;
    for (int k = 0; k < p.scalars; ++k) {
        const long o = (long)p.scalar[k] * W;
        store(b.adjoint + o, load(b.adjoint + o) + p.xi[k] * weight);
        store(b.adjoint_dot + o, load(b.adjoint_dot + o) + p.xi[k]);
    }
    const double *m0 = b.moment, *m1 = b.moment_dot;
    double *a0 = b.adjoint, *a1 = b.adjoint_dot;
    for (int g = p.targets - 1; g >= 0; --g) {
        const long o = (long)p.target[g] * W;
        const vec top = load(a0 + o), topd = load(a1 + o);
        for (int t = p.target_start[g]; t < p.target_start[g + 1]; ++t) {
            const long l = (long)p.left[t] * W, r = (long)p.right[t] * W;
            const vec w = p.mult[t] * top, wd = p.mult[t] * topd;
            const vec ml = load(m0 + l), mr = load(m0 + r), dl = load(m1 + l), dr = load(m1 + r);
            store(a0 + l, load(a0 + l) + w * mr + wd * dr);
            store(a0 + r, load(a0 + r) + w * ml + wd * dl);
            store(a1 + l, load(a1 + l) + wd * mr);
            store(a1 + r, load(a1 + r) + wd * ml);
        }
    }
}

static void tangent_gradient(const Tables& p, Batch& b, double* out) {
    tangent_moments(p, b);
    tangent_adjoints(p, b);
    const int n = p.radial_functions, size = p.radial_size;
    vec m[max_monomials], md[max_monomials], u[3], r;
    vec q[64], dq[64], sums[max_coefficients];
    for (int i = 0; i < n * size; ++i) sums[i] = zero();
    for (int a = 0; a < b.count; ++a) {
        const double* adj = b.adjoint + a;
        const double* adjd = b.adjoint_dot + a;
        for (int block = b.block_start[a]; block < b.block_start[a + 1]; ++block) {
            const long o = (long)block * W;
            unit(b, block, u, r);
            const vec v[3] = {load(b.vx + o), load(b.vy + o), load(b.vz + o)};
            const vec rd = u[0] * v[0] + u[1] * v[1] + u[2] * v[2];
            const vec inverse = 1.0 / r;
            vec ud[3];
            for (int d = 0; d < 3; ++d) ud[d] = (v[d] - u[d] * rd) * inverse;
            powers_dot(p, u, ud, m, md);
            radial_basis(p, r, q, dq);
            for (int mu = 0; mu < n; ++mu) {
                const vec y = radial_adjoint(p, adjd, m, mu) * rd;
                const vec x = radial_adjoint(p, adj, m, mu) + radial_adjoint(p, adjd, md, mu);
                for (int k = 0; k < size; ++k) sums[mu * size + k] += x * q[k] + y * dq[k];
            }
            if (block + 1 == b.block_start[a + 1] || b.block_type[block + 1] != b.block_type[block])
                flush(p, sums, out + (long)(b.type[a] * p.species + b.block_type[block]) * n * size);
        }
    }
}

}  // namespace SB_NAMESPACE

const KernelTable& SB_FACTORY() {
    static constexpr KernelTable table = {
        SB_NAME, SB_WIDTH, SB_NAMESPACE::forward, SB_NAMESPACE::adjoint, SB_NAMESPACE::adjoint_single,
        SB_NAMESPACE::pair_gradient, SB_NAMESPACE::radial_rows, SB_NAMESPACE::tangent_gradient};
    return table;
}

}  // namespace scalebridge
