// Plain data that crosses the border between the drivers (compiled once) and the vector kernels
// (compiled once per instruction set). No standard-library templates here: an inline function of the
// library compiled with AVX flags could be chosen by the linker for every machine.
#pragma once

namespace scalebridge {

// A moment tensor potential as flat tables. Symbols as in Novikov et al., MLST 2, 025002 (2021).
struct Tables {
    int species;            // number of species
    int radial_functions;   // number of f_mu
    int radial_size;        // number of Chebyshev polynomials per f_mu
    double r_min, r_max;    // support of the radial basis [Å]
    double scaling;         // s in Q_k = s T_k (R - r)^2
    const double* radial;   // c[z_i][z_j][mu][k], without s
    int monomials;          // x^a y^b z^c with a + b + c <= largest rank; index 0 is 1
    const int* parent;      // monomial p = monomial parent[p] times its axis
    int runs;               // monomials of one degree and axis follow each other:
    const int* run_start;   // run_start[n] .. run_start[n+1], by rising degree
    const int* run_axis;
    const int* entry_start; // basic moments with f_mu: entries entry_start[mu] .. entry_start[mu+1]
    const int* entry_monomial;
    const int* entry_basic;
    int basic;              // number of basic moments M_{mu, abc}
    int moments;            // basic and derived moments
    int targets;            // derived moments, each a sum of products
    const int* target;      // m[target[g]] = sum over products[target_start[g] .. target_start[g+1]]
    const int* target_start;
    const int* left;        // products: mult * m[left] * m[right]
    const int* right;
    const double* mult;
    int scalars;            // B_alpha = m[scalar[alpha]]
    const int* scalar;
    const double* xi;       // linear coefficients
};

// Up to `width` central atoms at once. Pairs sit in blocks of `width` lanes; a block has one neighbour species.
struct Batch {
    int count;              // atoms in use
    int type[8];
    int block_start[9];     // blocks of atom a: block_start[a] .. block_start[a+1]
    int* block_type;
    double *dx, *dy, *dz, *r;   // r_ij = r_j - r_i and its length; empty lanes hold 0, 0, 0, r_max
    double *gx, *gy, *gz;       // out: dV_i/dr_ij
    double *vx, *vy, *vz;       // in: tangent of r_ij
    double *f, *df;             // f_mu(r), f_mu'(r): [block][mu][lane]
    double* accumulator;        // scratch
    double *moment, *adjoint;   // [moment][atom lane]
    double *moment_dot, *adjoint_dot;
    double energy[8];           // out: sum_alpha xi_alpha B_alpha
    double energy_weight[8];    // in, for the tangent pass
};

struct KernelTable {
    const char* name;
    int width;
    // f, f', moments, energy
    void (*forward)(const Tables&, Batch&);
    // adjoints of all moments from seeds xi
    void (*adjoint)(const Tables&, Batch&);
    // adjoints of all moments for the single scalar function alpha
    void (*adjoint_single)(const Tables&, Batch&, int alpha);
    // pair gradients from the adjoints
    void (*pair_gradient)(const Tables&, Batch&);
    // out[atom][z_j][mu][k] += dV_i/dc
    void (*radial_rows)(const Tables&, Batch&, double* const* out);
    // moments' tangents along v, then out[z_i][z_j][mu][k] += d(weight E + dE along v)/dc
    void (*tangent_gradient)(const Tables&, Batch&, double* out);
};

const KernelTable& kernel_baseline();
#if defined(SCALEBRIDGE_X86)
const KernelTable& kernel_avx2();
const KernelTable& kernel_avx512();
#endif

}  // namespace scalebridge
