// Plain data that crosses the border between the drivers (compiled once) and the vector kernels
// (compiled once per instruction set). No standard-library templates here: an inline function of the
// library compiled with AVX flags could be chosen by the linker for every machine.
#pragma once

namespace scalebridge {

// Sums of products: m[target] = or += mult * (m[left] m[right] + ...). At depth d, steps start[2 d] .. start[2 d + 1]
// assign, being the first of their targets, and those up to start[2 d + 2] add.
struct Steps {
    const int* start;         // [2 depths + 1]
    const int* rows;          // target, left, right, ... as offsets: number of the moment times the width
    const double* mult;
};

// A moment tensor potential as flat tables. Symbols as in Novikov et al., MLST 2, 025002 (2021).
//
// On the unit sphere z^2 = 1 - x^2 - y^2, so the monomials x^a y^b z^c with c <= 1 span all others. The pair
// passes see only those, (n + 1)^2 of them up to rank n, in the order of `powers` in kernel_pairs.hpp; basic
// moments with c >= 2 follow by expansion rows, once per atom.
struct Tables {
    int species;
    int species_stride;       // species rounded up to a multiple of the widest vector
    int radial_functions;     // number of f_mu
    int radial_size;          // number of Chebyshev polynomials per f_mu
    double r_min, r_max;      // support of the radial basis [Å]
    double scaling;           // s in Q_k = s T_k (R - r)^2
    const double* radial;     // c[z_i][mu][k][z_j], without s
    int rank;                 // largest rank of a basic moment
    const int* rank_of;       // largest rank with f_mu, -1 for none
    const int* first;         // moments first[mu] .. first[mu] + (rank_of[mu] + 1)^2: those with c <= 1
    int reduced;              // number of moments with c <= 1
    int expansions;           // m[row 0] = m[row 1] - m[row 2] - m[row 3]
    const int* expansion;
    int moments;              // basic and derived moments
    int depths;               // derived moments of depth d are sums of products of moments of smaller depth
    Steps singles, triples;
    int seeds;                // moments whose adjoints are needed, as offsets, and what the adjoints start from
    const int* seed_at;
    const double* seed;
    int scalars;              // B_alpha = m[scalar[alpha]]
    const int* scalar;
    const double* xi;         // linear coefficients
};

// Up to `width` central atoms, one per lane; slot n holds the n-th neighbour of each. Arrays are [slot][lane].
struct Batch {
    int count;                // atoms in use
    int slots;                // a multiple of slots_at_once
    int centres;              // distinct central species, and per lane which
    int centre_type[8];
    alignas(64) long long centre[8];
    long long* kind;          // species of the neighbours
    int* common;              // per slot: the species of all its neighbours, of centres all alike; else -1
    double *dx, *dy, *dz;     // r_ij = r_j - r_i; empty places hold (r_max, 0, 0), where f and f' vanish
    double *ux, *uy, *uz;     // r_ij / |r_ij|
    double* inverse;          // 1 / |r_ij|
    bool close;               // whether a neighbour is within the range of the repulsion; only then:
    double *seen, *seen_slope; // the distance that f_mu is told, and its derivative by |r_ij|
    double *f, *df;           // f_mu, f_mu' by |r_ij|: [slot][mu][lane]
    double* by_f;             // out: dV_i/df_mu: [slot][mu][lane]
    double *gx, *gy, *gz;     // out: dV_i/dr_ij
    double *vx, *vy, *vz;     // in: tangent of r_ij
    double *moment, *adjoint; // [moment][lane]
    double *moment_dot, *adjoint_dot;
    double* sums;             // in and out: [z_j][mu][k][lane], or for gradients [z_i][z_j][mu][k][lane]
    alignas(64) double energy[8];        // out: sum_alpha xi_alpha B_alpha
    alignas(64) double total[3][8];      // out: sum over the slots of dV_i/dr_ij
    alignas(64) double virial[9][8];     // out: sum over the slots of r_ij dV_i/dr_ij
};

constexpr int slots_at_once = 2;
constexpr int columns_per_lane = 4;  // of a panel
constexpr int max_rank = 12, max_radial_size = 64, max_radial_functions = 16;

struct KernelTable {
    const char* name;
    int width;
    // unit vectors, f, f', moments, energy
    void (*forward)(const Tables&, Batch&);
    // its two halves: from neighbours to the reduced moments, which are sums over them, and from these to the energy
    void (*gather)(const Tables&, Batch&);
    void (*contract)(const Tables&, Batch&);
    // adjoints of the moments, from the seeds
    void (*adjoint)(const Tables&, Batch&);
    // from the adjoints: pair gradients, their sums, the virial, and by_f
    void (*pair_gradient)(const Tables&, Batch&);
    // from the adjoints: by_f alone
    void (*radial_adjoints)(const Tables&, Batch&);
    // from by_f: sums[z_j][mu][k][lane] += dV_i/dc
    void (*radial_rows)(const Tables&, Batch&);
    // after pair_gradient: the moments' tangents along v, then
    // sums[z_i][z_j][mu][k][lane] += d/dc (weight V_i + dV_i along v)
    void (*tangent_gradient)(const Tables&, Batch&, double weight);
    // out[lane] = largest |rows . column| of rows[size][lane] and panels[panel][size][column], in single precision
    void (*largest_product)(const float* rows, const float* panels, int size, int count, double* out);
};

const KernelTable& kernel_baseline();
#if defined(SCALEBRIDGE_X86)
const KernelTable& kernel_avx2();
const KernelTable& kernel_avx512();
#endif

}  // namespace scalebridge
