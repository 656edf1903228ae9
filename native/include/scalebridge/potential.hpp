// A moment tensor potential with its drivers: neighbour lists in, energies, forces, rows and gradients out.
#pragma once

#include <memory>
#include <vector>

#include "scalebridge/grades.hpp"
#include "scalebridge/kernel_table.hpp"
#include "scalebridge/neighbours.hpp"
#include "scalebridge/tables.hpp"

namespace scalebridge {

// Atoms with a neighbour list.
struct Configuration {
    int atoms = 0;
    int species = 0;                     // of the potential that configured it, and its cutoff
    double cutoff = 0.0;
    std::vector<int> types;
    std::vector<double> positions;
    std::vector<double> listed;          // positions when the list was made
    double skin = 0.0;                   // the list serves as long as no atom moved by more than half of this [Å]
    Cell cell{};
    Periodicity periodic{};
    NeighbourList list;
};

struct Environment;
class Workspace;
class Potential;

// What an evaluation leaves behind for the derivatives of a loss, which need its forces first.
class Recording {
public:
    Recording();
    Recording(Recording&&) noexcept;
    Recording& operator=(Recording&&) noexcept;
    ~Recording();

    int atoms() const;

private:
    friend class Potential;
    struct Batches;
    std::unique_ptr<Batches> batches_;
};

class Potential {
public:
    explicit Potential(PotentialData data, const char* kernel = nullptr, int threads = 1);

    const PotentialData& data() const { return data_; }
    const KernelTable& kernel() const { return *kernel_; }
    Tables tables() const { return tables_.whole(); }
    int width() const { return kernel_->width; }
    const char* kernel_name() const { return kernel_->name; }
    int threads() const { return threads_; }
    Configuration configure(std::vector<int> types, std::vector<double> positions, const Cell& cell,
                            const Periodicity& periodic, double skin = 0.0) const;
    // Put the atoms elsewhere, with a new neighbour list where the old one no longer serves: then true.
    bool move(Configuration& c, std::vector<double> positions) const;

    // energies[N]; infinite where a hard core is touched
    void energies(const Configuration& c, double* energies) const;
    // plus forces[N][3] and virial[3][3] = -dE/dstrain
    void forces(const Configuration& c, double* energies, double* forces, double* virial) const;
    // plus grades[N], for which most is there by then
    void graded_forces(const Configuration& c, const GradeMatrices& matrices, double* energies, double* forces,
                       double* virial, double* grades) const;
    void grades(const Configuration& c, const GradeMatrices& matrices, double* grades) const;
    // the same, and what loss_gradient takes: some kilobytes per atom
    Recording record(const Configuration& c, double* energies, double* forces, double* virial) const;
    // linear[A] and radial[z_i][z_j][mu][k]: d/dxi and d/dc of
    // weight E + sum_i velocity_i . dE/dr_i + strain_rate : dE/dstrain, offsets apart; one pass
    void loss_gradient(const Recording& recording, double weight, const double* velocities,
                       const double* strain_rate, double* linear, double* radial) const;
    // energies of atoms given by their environments, offsets included
    void energies_of(const std::vector<Environment>& environments, std::size_t count, double* energies) const;
    // values[N][scalars] and radial[N][z_j][mu][k] = dE_i/dc_{z_i z_j mu k}
    void rows(const Configuration& c, double* values, double* radial) const;
    // per scalar function: values[A], gradients[N][3][A] = dB/dr, virials[9][A] = -dB/dstrain
    void design(const Configuration& c, double* values, double* gradients, double* virials) const;

private:
    class PartialSums;

    void list_neighbours(Configuration& c) const;
    void check(const Configuration& c) const;
    int parts_for(int batches) const;
    template <class Visit>
    void for_batches(const Configuration& c, Visit visit) const;
    void evaluate_batch(const Tables& p, Workspace& w, double* energies, PartialSums& sums, int part) const;
    void grade_batch(const Tables& p, Workspace& w, const GradeMatrices& matrices, double* grades) const;
    void store_energies(const Workspace& w, double* energies) const;

    PotentialData data_;
    const KernelTable* kernel_;
    TableSet tables_;
    int threads_;
};

}  // namespace scalebridge
