#include "scalebridge/potential.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>

#include "batches.hpp"

namespace scalebridge {
namespace {

const KernelTable* choose_kernel(const char* wanted) {
    std::vector<const KernelTable*> usable;
#if defined(SCALEBRIDGE_X86)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        usable.push_back(&kernel_avx512());
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) usable.push_back(&kernel_avx2());
#endif
    usable.push_back(&kernel_baseline());
    if (wanted == nullptr || *wanted == '\0') return usable.front();
    for (const KernelTable* k : usable)
        if (std::strcmp(k->name, wanted) == 0) return k;
    throw std::invalid_argument(std::string("kernel '") + wanted + "' is unknown or not supported by this processor");
}

// Subtract the pair gradients of a batch from the sites and add their sums to the centres.
void scatter(const Workspace& w, int width, double sign, double* sites) {
    const Batch& b = w.batch;
    for (int a = 0; a < b.count; ++a)
        for (int k = 0; k < 3; ++k) sites[4 * static_cast<std::size_t>(w.atom[a]) + k] += sign * b.total[k][a];
    for (int n = 0; n < b.slots * width; ++n) {
        double* site = sites + 4 * static_cast<std::size_t>(w.site[n]);
        site[0] -= sign * b.gx[n];
        site[1] -= sign * b.gy[n];
        site[2] -= sign * b.gz[n];
    }
}

double lane_sum(const double* lanes, int count) {
    double sum = 0.0;
    for (int a = 0; a < count; ++a) sum += lanes[a];
    return sum;
}

// Forces on the atoms from those on all sites.
void fold_sites(const Configuration& c, const std::vector<double>& sites, double* forces) {
    std::fill(forces, forces + 3 * static_cast<std::size_t>(c.atoms), 0.0);
    for (std::size_t k = 0; k < c.list.owner.size(); ++k)
        for (int d = 0; d < 3; ++d) forces[3 * static_cast<std::size_t>(c.list.owner[k]) + d] += sites[4 * k + d];
}

// Velocities of r_ij, those of the atoms and of the strain together.
void set_velocities(const Configuration& c, Workspace& w, int width, const double* velocities, const double* rate) {
    Batch& b = w.batch;
    const int sites = static_cast<int>(c.list.owner.size());
    for (int n = 0; n < b.slots * width; ++n) {
        const int lane = n % width;
        double v[3] = {0.0, 0.0, 0.0};
        if (w.site[n] < sites) {
            const double* vi = velocities + 3 * static_cast<std::size_t>(w.atom[lane]);
            const double* vj = velocities + 3 * static_cast<std::size_t>(c.list.owner[w.site[n]]);
            for (int k = 0; k < 3; ++k)
                v[k] = vj[k] - vi[k] + rate[3 * k] * b.dx[n] + rate[3 * k + 1] * b.dy[n] + rate[3 * k + 2] * b.dz[n];
        }
        b.vx[n] = v[0];
        b.vy[n] = v[1];
        b.vz[n] = v[2];
    }
}

}  // namespace

struct Recording::Batches {
    std::vector<WorkspaceHandle> held;
};

Recording::Recording() : batches_(new Batches) {}
Recording::Recording(Recording&&) noexcept = default;
Recording& Recording::operator=(Recording&&) noexcept = default;
Recording::~Recording() = default;

Potential::Potential(PotentialData data, const char* kernel)
    : data_(std::move(data)), kernel_(choose_kernel(kernel)), tables_(data_, kernel_->width) {}

Configuration Potential::configure(std::vector<int> types, std::vector<double> positions, const Cell& cell,
                                   const Periodicity& periodic, double skin) const {
    Configuration c;
    c.atoms = static_cast<int>(types.size());
    if (positions.size() != 3 * types.size())
        throw std::invalid_argument("positions must have shape (N, 3) with N = " + std::to_string(types.size()));
    for (int i = 0; i < c.atoms; ++i)
        if (types[i] < 0 || types[i] >= data_.species)
            throw std::invalid_argument("type " + std::to_string(types[i]) + " of atom " + std::to_string(i) +
                                        " is outside 0.." + std::to_string(data_.species - 1) +
                                        "; map the atoms to the potential's species");
    c.types = std::move(types);
    c.positions = std::move(positions);
    c.cell = cell;
    c.periodic = periodic;
    c.list = build_neighbours(c.atoms, c.types.data(), c.positions.data(), cell, periodic, data_.r_max + skin,
                              data_.species);
    return c;
}

// Calls visit(tables, workspace) for `width` atoms at a time.
template <class Visit>
void Potential::for_batches(const Configuration& c, Visit visit) const {
    const Tables p = tables_.whole();
    const SiteTable sites(c);
    const WorkspaceHandle w = take_workspace();
    for (int first = 0; first < c.atoms; first += kernel_->width) {
        w->pack(c, sites, data_, p, first, kernel_->width);
        visit(p, *w);
    }
}

void Potential::store_energies(const Workspace& w, double* energies) const {
    for (int a = 0; a < w.batch.count; ++a) {
        const int type = w.batch.centre_type[w.batch.centre[a]];
        energies[w.atom[a]] = w.core_touched[a] ? std::numeric_limits<double>::infinity()
                                                : w.batch.energy[a] + data_.offsets[type];
    }
}

void Potential::energies(const Configuration& c, double* energies) const {
    for_batches(c, [&](const Tables& p, Workspace& w) {
        kernel_->forward(p, w.batch);
        store_energies(w, energies);
    });
}

void Potential::evaluate_batch(const Tables& p, Workspace& w, double* energies, double* sites, double* virial) const {
    kernel_->forward(p, w.batch);
    kernel_->adjoint(p, w.batch, -1);
    kernel_->pair_gradient(p, w.batch);
    store_energies(w, energies);
    scatter(w, kernel_->width, 1.0, sites);
    for (int k = 0; k < 9; ++k) virial[k] -= lane_sum(w.batch.virial[k], w.batch.count);
}

void Potential::forces(const Configuration& c, double* energies, double* forces, double* virial) const {
    std::vector<double> sites(4 * (c.list.owner.size() + 1), 0.0);
    std::fill(virial, virial + 9, 0.0);
    for_batches(c, [&](const Tables& p, Workspace& w) { evaluate_batch(p, w, energies, sites.data(), virial); });
    fold_sites(c, sites, forces);
}

Recording Potential::record(const Configuration& c, double* energies, double* forces, double* virial) const {
    const Tables p = tables_.whole();
    const SiteTable table(c);
    std::vector<double> sites(4 * (c.list.owner.size() + 1), 0.0);
    std::fill(virial, virial + 9, 0.0);
    Recording out;
    for (int first = 0; first < c.atoms; first += kernel_->width) {
        out.batches_->held.push_back(take_workspace());
        Workspace& w = *out.batches_->held.back();
        w.pack(c, table, data_, p, first, kernel_->width);
        evaluate_batch(p, w, energies, sites.data(), virial);
    }
    fold_sites(c, sites, forces);
    return out;
}

void Potential::loss_gradient(const Configuration& c, const Recording& recording, double weight,
                              const double* velocities, const double* strain_rate, double* linear,
                              double* radial) const {
    const Tables p = tables_.whole();
    const int width = kernel_->width, scalars = p.scalars;
    const std::size_t size = data_.radial.size();
    std::fill(linear, linear + scalars, 0.0);
    double* sums = thread_sums(size * width);
    for (const WorkspaceHandle& w : recording.batches_->held) {
        w->borrow(p, width);
        w->batch.sums = sums;
        set_velocities(c, *w, width, velocities, strain_rate);
        kernel_->tangent_gradient(p, w->batch, weight);
        for (int k = 0; k < scalars; ++k) {
            const std::size_t at = static_cast<std::size_t>(p.scalar[k]) * width;
            linear[k] += weight * lane_sum(w->batch.moment + at, w->batch.count) +
                         lane_sum(w->batch.moment_dot + at, w->batch.count);
        }
    }
    for (std::size_t k = 0; k < size; ++k) radial[k] = lane_sum(sums + k * width, width);
}

void Potential::rows(const Configuration& c, double* values, double* radial) const {
    const int width = kernel_->width, scalars = static_cast<int>(data_.scalar.size());
    const std::size_t size = static_cast<std::size_t>(data_.species) * data_.radial_functions * data_.radial_size;
    for_batches(c, [&](const Tables& p, Workspace& w) {
        kernel_->forward(p, w.batch);
        kernel_->adjoint(p, w.batch, -1);
        const double* sums = w.batch.sums = thread_sums(size * width);
        kernel_->radial_rows(p, w.batch);
        for (int a = 0; a < w.batch.count; ++a) {
            const std::size_t i = w.atom[a];
            for (int k = 0; k < scalars; ++k)
                values[i * scalars + k] = w.batch.moment[static_cast<std::size_t>(p.scalar[k]) * width + a];
            for (std::size_t k = 0; k < size; ++k) radial[i * size + k] = sums[k * width + a];
        }
    });
}

void Potential::design(const Configuration& c, double* values, double* gradients, double* virials) const {
    const int width = kernel_->width, scalars = static_cast<int>(data_.scalar.size());
    const std::size_t A = scalars, sites = c.list.owner.size() + 1;
    std::fill(values, values + A, 0.0);
    std::fill(gradients, gradients + 3 * A * c.atoms, 0.0);
    std::fill(virials, virials + 9 * A, 0.0);
    std::vector<Tables> parts;
    for (int alpha = 0; alpha < scalars; ++alpha) parts.push_back(tables_.part(alpha));
    std::vector<double> by_site(4 * sites * A, 0.0);
    for_batches(c, [&](const Tables& p, Workspace& w) {
        kernel_->forward(p, w.batch);
        for (int alpha = 0; alpha < scalars; ++alpha) {
            values[alpha] +=
                lane_sum(w.batch.moment + static_cast<std::size_t>(p.scalar[alpha]) * width, w.batch.count);
            kernel_->adjoint(parts[alpha], w.batch, alpha);
            kernel_->pair_gradient(parts[alpha], w.batch);
            scatter(w, width, -1.0, by_site.data() + 4 * sites * alpha);
            for (int k = 0; k < 9; ++k) virials[k * A + alpha] -= lane_sum(w.batch.virial[k], w.batch.count);
        }
    });
    for (std::size_t k = 0; k + 1 < sites; ++k)
        for (int d = 0; d < 3; ++d) {
            double* row = gradients + (3 * static_cast<std::size_t>(c.list.owner[k]) + d) * A;
            for (std::size_t alpha = 0; alpha < A; ++alpha) row[alpha] += by_site[4 * (sites * alpha + k) + d];
        }
}

}  // namespace scalebridge
