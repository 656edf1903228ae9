// A moment tensor potential with its drivers: neighbour lists in, energies, forces, rows and gradients out.
#pragma once

#include <memory>
#include <vector>

#include "scalebridge/kernel_table.hpp"
#include "scalebridge/neighbours.hpp"

namespace scalebridge {

struct PotentialData {
    int species, radial_functions, radial_size;
    double r_min, r_max, scaling;
    std::vector<double> radial;          // [z_i][z_j][mu][k]
    std::vector<int> basic;              // rows (mu, a, b, c)
    std::vector<int> products;           // rows (left, right, mult, target)
    int moments;
    std::vector<int> scalar;
    std::vector<double> xi;
    std::vector<double> offsets;         // xi_z [eV]
    std::vector<double> hard_core;       // [z_i][z_j] [Å]; closer pairs have infinite energy
};

// Atoms with a neighbour list. The list outlives the positions it was built for as long as no atom moved by
// more than half of (list.cutoff - potential cutoff).
struct Configuration {
    int atoms = 0;
    std::vector<int> types;
    std::vector<double> positions;
    Cell cell{};
    Periodicity periodic{};
    NeighbourList list;
};

class Potential {
public:
    explicit Potential(PotentialData data, const char* kernel = nullptr);

    const PotentialData& data() const { return data_; }
    const char* kernel_name() const { return kernel_->name; }
    Configuration configure(std::vector<int> types, std::vector<double> positions, const Cell& cell,
                            const Periodicity& periodic, double skin = 0.0) const;

    // energies[N]; infinite where a hard core is touched
    void energies(const Configuration& c, double* energies) const;
    // plus forces[N][3] and virial[3][3] = -dE/dstrain
    void forces(const Configuration& c, double* energies, double* forces, double* virial) const;
    // values[N][scalars] and radial[N][z_j][mu][k] = dE_i/dc_{z_i z_j mu k}
    void rows(const Configuration& c, double* values, double* radial) const;
    // per scalar function: values[A], gradients[N][3][A] = dB/dr, virials[9][A] = -dB/dstrain
    void design(const Configuration& c, double* values, double* gradients, double* virials) const;
    // out[z_i][z_j][mu][k] += d/dc (weight E + sum_i velocity_i . dE/dr_i + strain_rate : dE/dstrain)
    void tangent_gradient(const Configuration& c, double weight, const double* velocities,
                          const double* strain_rate, double* out) const;

private:
    class Workspace;
    // The part of the tables that one scalar function needs.
    struct Part {
        std::vector<int> entry_start, entry_monomial, entry_basic;
        std::vector<int> target, target_start, left, right;
        std::vector<double> mult;
        int monomials, runs;
    };
    Tables tables() const;
    Part part_of(int alpha) const;
    Tables reduced(const Tables& whole, const Part& part) const;
    template <class Visit>
    void for_batches(const Configuration& c, Workspace& w, Visit visit) const;

    PotentialData data_;
    const KernelTable* kernel_;
    std::vector<int> parent_, run_start_, run_axis_, entry_start_, entry_monomial_, entry_basic_;
    std::vector<int> target_, target_start_, left_, right_;
    std::vector<double> mult_;
    std::vector<Part> parts_;
    int monomials_ = 0;
};

}  // namespace scalebridge
