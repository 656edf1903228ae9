#include "scalebridge/potential.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>

#include "batches.hpp"
#include "repulsion.hpp"
#include "scalebridge/threads.hpp"

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

// Add sign times the pair gradients of a batch to the centres and subtract it from the neighbours' sites.
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

// Velocities of the sites, those of the atoms and of the strain together: [site][4] as SiteTable's positions.
std::vector<double> site_velocities(const SiteTable& sites, const std::vector<int>& owner, const double* velocities,
                                    const double* rate) {
    std::vector<double> out(sites.position.size(), 0.0);
    for (std::size_t k = 0; k < owner.size(); ++k) {
        const double *v = velocities + 3 * static_cast<std::size_t>(owner[k]), *x = sites.position.data() + 4 * k;
        for (int d = 0; d < 3; ++d)
            out[4 * k + d] = v[d] + rate[3 * d] * x[0] + rate[3 * d + 1] * x[1] + rate[3 * d + 2] * x[2];
    }
    return out;
}

// Velocities of r_ij. Those of empty places do no harm: f and f' vanish there.
void set_velocities(Workspace& w, int width, const std::vector<double>& of_site) {
    Batch& b = w.batch;
    double centre[3][8];
    for (int a = 0; a < width; ++a)
        for (int d = 0; d < 3; ++d) centre[d][a] = of_site[4 * static_cast<std::size_t>(w.atom[a]) + d];
    for (int n = 0; n < b.slots * width; n += width)
        for (int a = 0; a < width; ++a) {
            const double* v = of_site.data() + 4 * static_cast<std::size_t>(w.site[n + a]);
            b.vx[n + a] = v[0] - centre[0][a];
            b.vy[n + a] = v[1] - centre[1][a];
            b.vz[n + a] = v[2] - centre[2][a];
        }
}

}  // namespace

struct Recording::Batches {
    explicit Batches(const Configuration& c) : atoms(c.atoms), owner(c.list.owner), sites(c) {}

    int atoms;
    std::vector<int> owner;              // of each site
    SiteTable sites;
    std::vector<WorkspaceHandle> held;
};

Recording::Recording() = default;
Recording::Recording(Recording&&) noexcept = default;
Recording& Recording::operator=(Recording&&) noexcept = default;
Recording::~Recording() = default;
int Recording::atoms() const { return batches_ ? batches_->atoms : 0; }

// Forces on sites and virials, apart for each part of the work, so that sums do not depend on timing.
class Potential::PartialSums {
public:
    PartialSums(const Configuration& c, int parts)
        : sites(parts, std::vector<double>(4 * (c.list.owner.size() + 1))), virials(parts) {}

    std::vector<std::vector<double>> sites;
    std::vector<std::array<double, 9>> virials;

    void fold(const Configuration& c, double* forces, double* virial) const {
        std::fill(forces, forces + 3 * static_cast<std::size_t>(c.atoms), 0.0);
        std::fill(virial, virial + 9, 0.0);
        for (std::size_t part = 0; part < sites.size(); ++part) {
            for (int k = 0; k < 9; ++k) virial[k] += virials[part][k];
            for (std::size_t k = 0; k < c.list.owner.size(); ++k)
                for (int d = 0; d < 3; ++d)
                    forces[3 * static_cast<std::size_t>(c.list.owner[k]) + d] += sites[part][4 * k + d];
        }
    }
};

Potential::Potential(PotentialData data, const char* kernel, int threads)
    : data_(std::move(data)), kernel_(choose_kernel(kernel)), tables_(data_, kernel_->width), threads_(threads) {
    if (threads < 1) throw std::invalid_argument("threads is " + std::to_string(threads) + "; use at least 1");
}

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
    if (!(skin >= 0.0)) throw std::invalid_argument("skin " + std::to_string(skin) + " is negative; use 0 or more");
    c.species = data_.species;
    c.cutoff = data_.r_max;
    c.types = std::move(types);
    c.positions = std::move(positions);
    c.cell = cell;
    c.periodic = periodic;
    c.skin = skin;
    list_neighbours(c);
    return c;
}

void Potential::check(const Configuration& c) const {
    if (c.cutoff != data_.r_max || c.species > data_.species)
        throw std::invalid_argument("the configuration was made by a potential of " + std::to_string(c.species) +
                                    " species and cutoff " + std::to_string(c.cutoff) + "; configure it with this one");
}

void Potential::list_neighbours(Configuration& c) const {
    c.list = build_neighbours(c.atoms, c.types.data(), c.positions.data(), c.cell, c.periodic, data_.r_max + c.skin,
                              data_.species, threads_);
    c.listed = c.positions;
}

bool Potential::move(Configuration& c, std::vector<double> positions) const {
    if (positions.size() != c.positions.size())
        throw std::invalid_argument("positions must have shape (N, 3) with N = " + std::to_string(c.atoms));
    c.positions = std::move(positions);
    bool served = true;
    for (std::size_t i = 0; i < c.positions.size() && served; i += 3) {
        const double x = c.positions[i] - c.listed[i], y = c.positions[i + 1] - c.listed[i + 1],
                     z = c.positions[i + 2] - c.listed[i + 2];
        served = x * x + y * y + z * z <= 0.25 * c.skin * c.skin;
    }
    if (!served) list_neighbours(c);
    return !served;
}

int Potential::parts_for(int batches) const { return std::max(1, std::min(threads_, batches)); }

// Calls visit(tables, workspace, part) for `width` atoms at a time.
template <class Visit>
void Potential::for_batches(const Configuration& c, Visit visit) const {
    check(c);
    const Tables p = tables_.whole();
    const SiteTable sites(c);
    const int width = kernel_->width, batches = (c.atoms + width - 1) / width, parts = parts_for(batches);
    run_parallel(parts, [&](int part) {
        const WorkspaceHandle w = take_workspace();
        for (long long n = 1LL * batches * part / parts; n < 1LL * batches * (part + 1) / parts; ++n) {
            w->pack(c, sites, data_, p, static_cast<int>(n) * width, width);
            visit(p, *w, part);
        }
    });
}

void Potential::store_energies(const Workspace& w, double* energies) const {
    for (int a = 0; a < w.batch.count; ++a) {
        const int type = w.batch.centre_type[w.batch.centre[a]];
        energies[w.atom[a]] = w.core_touched[a] ? std::numeric_limits<double>::infinity()
                                                : w.batch.energy[a] + data_.offsets[type];
    }
}

void Potential::energies(const Configuration& c, double* energies) const {
    for_batches(c, [&](const Tables& p, Workspace& w, int) {
        kernel_->forward(p, w.batch);
        add_repulsion(w, data_, kernel_->width, false);
        store_energies(w, energies);
    });
}

void Potential::energies_of(const std::vector<Environment>& environments, std::size_t count, double* energies) const {
    const Tables p = tables_.whole();
    const WorkspaceHandle w = take_workspace();
    const std::size_t width = kernel_->width;
    for (std::size_t first = 0; first < count; first += width) {
        const std::size_t lanes = std::min(width, count - first);
        w->pack(environments.data() + first, static_cast<int>(lanes), data_, p, static_cast<int>(width));
        kernel_->forward(p, w->batch);
        add_repulsion(*w, data_, static_cast<int>(width), false);
        for (std::size_t a = 0; a < lanes; ++a)
            energies[first + a] = w->batch.energy[a] + data_.offsets[environments[first + a].type];
    }
}

void Potential::evaluate_batch(const Tables& p, Workspace& w, double* energies, PartialSums& sums, int part) const {
    kernel_->forward(p, w.batch);
    kernel_->adjoint(p, w.batch);
    kernel_->pair_gradient(p, w.batch);
    add_repulsion(w, data_, kernel_->width, true);
    store_energies(w, energies);
    scatter(w, kernel_->width, 1.0, sums.sites[part].data());
    for (int k = 0; k < 9; ++k) sums.virials[part][k] -= lane_sum(w.batch.virial[k], w.batch.count);
}

void Potential::forces(const Configuration& c, double* energies, double* forces, double* virial) const {
    PartialSums sums(c, threads_);
    for_batches(c, [&](const Tables& p, Workspace& w, int part) { evaluate_batch(p, w, energies, sums, part); });
    sums.fold(c, forces, virial);
}

// Grades of the batch's atoms, once dV_i/df_mu are there.
void Potential::grade_batch(const Tables& p, Workspace& w, const GradeMatrices& matrices, double* grades) const {
    const std::size_t width = kernel_->width, scalars = p.scalars, radial = matrices.size() - scalars - 1;
    Batch& b = w.batch;
    static thread_local std::vector<float> rows;
    rows.resize(matrices.size() * width);
    b.sums = thread_sums(radial * width);
    kernel_->radial_rows(p, b);
    std::copy_n(b.sums, radial * width, rows.data());
    std::fill_n(rows.data() + radial * width, width, 1.0f);
    for (std::size_t k = 0; k < scalars; ++k)
        std::copy_n(b.moment + p.scalar[k] * width, width, rows.data() + (radial + 1 + k) * width);
    for (int centre = 0; centre < b.centres; ++centre) {
        double largest[8];
        kernel_->largest_product(rows.data(), matrices.of(b.centre_type[centre]), matrices.size(), matrices.panels(),
                                 largest);
        for (int a = 0; a < b.count; ++a) {
            const bool known = std::isfinite(b.energy[a]) && !w.core_touched[a];
            if (b.centre[a] == centre)
                grades[w.atom[a]] = known ? largest[a] : std::numeric_limits<double>::infinity();
        }
    }
}

void Potential::graded_forces(const Configuration& c, const GradeMatrices& matrices, double* energies, double* forces,
                              double* virial, double* grades) const {
    PartialSums sums(c, threads_);
    for_batches(c, [&](const Tables& p, Workspace& w, int part) {
        evaluate_batch(p, w, energies, sums, part);
        grade_batch(p, w, matrices, grades);
    });
    sums.fold(c, forces, virial);
}

void Potential::grades(const Configuration& c, const GradeMatrices& matrices, double* grades) const {
    for_batches(c, [&](const Tables& p, Workspace& w, int) {
        kernel_->forward(p, w.batch);
        kernel_->adjoint(p, w.batch);
        kernel_->radial_adjoints(p, w.batch);
        grade_batch(p, w, matrices, grades);
    });
}

Recording Potential::record(const Configuration& c, double* energies, double* forces, double* virial) const {
    check(c);
    const Tables p = tables_.whole();
    const int width = kernel_->width, batches = (c.atoms + width - 1) / width, parts = parts_for(batches);
    PartialSums sums(c, parts);
    Recording out;
    out.batches_ = std::make_unique<Recording::Batches>(c);
    const SiteTable& sites = out.batches_->sites;
    std::vector<WorkspaceHandle>& held = out.batches_->held;
    for (int n = 0; n < batches; ++n) held.push_back(take_workspace());
    run_parallel(parts, [&](int part) {
        for (long long n = 1LL * batches * part / parts; n < 1LL * batches * (part + 1) / parts; ++n) {
            held[n]->pack(c, sites, data_, p, static_cast<int>(n) * width, width);
            evaluate_batch(p, *held[n], energies, sums, part);
        }
    });
    sums.fold(c, forces, virial);
    return out;
}

void Potential::loss_gradient(const Recording& recording, double weight, const double* velocities,
                              const double* strain_rate, double* linear, double* radial) const {
    const Tables p = tables_.whole();
    const Recording::Batches& recorded = *recording.batches_;
    const std::vector<WorkspaceHandle>& held = recorded.held;
    const std::vector<double> of_site = site_velocities(recorded.sites, recorded.owner, velocities, strain_rate);
    const int width = kernel_->width, batches = static_cast<int>(held.size()), parts = parts_for(batches);
    const std::size_t scalars = p.scalars, size = data_.radial.size();
    std::vector<double> linears(parts * scalars), radials(parts * size);
    run_parallel(parts, [&](int part) {
        double* sums = thread_sums(size * width);
        // backwards: the last batches recorded are those still in the cache
        for (long long n = 1LL * batches * (part + 1) / parts - 1; n >= 1LL * batches * part / parts; --n) {
            Workspace& w = *held[n];
            w.borrow(p, width);
            w.batch.sums = sums;
            set_velocities(w, width, of_site);
            kernel_->tangent_gradient(p, w.batch, weight);
            for (std::size_t k = 0; k < scalars; ++k) {
                const std::size_t at = static_cast<std::size_t>(p.scalar[k]) * width;
                linears[part * scalars + k] += weight * lane_sum(w.batch.moment + at, w.batch.count) +
                                               lane_sum(w.batch.moment_dot + at, w.batch.count);
            }
        }
        for (std::size_t k = 0; k < size; ++k) radials[part * size + k] = lane_sum(sums + k * width, width);
    });
    std::fill(linear, linear + scalars, 0.0);
    std::fill(radial, radial + size, 0.0);
    for (int part = 0; part < parts; ++part) {
        for (std::size_t k = 0; k < scalars; ++k) linear[k] += linears[part * scalars + k];
        for (std::size_t k = 0; k < size; ++k) radial[k] += radials[part * size + k];
    }
}

void Potential::rows(const Configuration& c, double* values, double* radial) const {
    const int width = kernel_->width, scalars = static_cast<int>(data_.scalar.size());
    const std::size_t size = static_cast<std::size_t>(data_.species) * data_.radial_functions * data_.radial_size;
    for_batches(c, [&](const Tables& p, Workspace& w, int) {
        kernel_->forward(p, w.batch);
        kernel_->adjoint(p, w.batch);
        kernel_->radial_adjoints(p, w.batch);
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
    std::vector<Tables> programs;
    for (int alpha = 0; alpha < scalars; ++alpha) programs.push_back(tables_.part(alpha));
    std::vector<std::vector<double>> by_site(threads_), sums(threads_, std::vector<double>(10 * A));
    for_batches(c, [&](const Tables& p, Workspace& w, int part) {
        by_site[part].resize(4 * sites * A);
        kernel_->forward(p, w.batch);
        for (std::size_t alpha = 0; alpha < A; ++alpha) {
            double* sum = sums[part].data() + 10 * alpha;
            kernel_->adjoint(programs[alpha], w.batch);
            kernel_->pair_gradient(programs[alpha], w.batch);
            scatter(w, width, -1.0, by_site[part].data() + 4 * sites * alpha);
            sum[9] += lane_sum(w.batch.moment + static_cast<std::size_t>(p.scalar[alpha]) * width, w.batch.count);
            for (int k = 0; k < 9; ++k) sum[k] -= lane_sum(w.batch.virial[k], w.batch.count);
        }
    });
    std::fill(values, values + A, 0.0);
    std::fill(virials, virials + 9 * A, 0.0);
    std::fill(gradients, gradients + 3 * A * c.atoms, 0.0);
    for (int part = 0; part < threads_; ++part) {
        for (std::size_t alpha = 0; alpha < A; ++alpha) {
            values[alpha] += sums[part][10 * alpha + 9];
            for (int k = 0; k < 9; ++k) virials[k * A + alpha] += sums[part][10 * alpha + k];
        }
        if (by_site[part].empty()) continue;
        for (std::size_t k = 0; k + 1 < sites; ++k)
            for (int d = 0; d < 3; ++d) {
                double* row = gradients + (3 * static_cast<std::size_t>(c.list.owner[k]) + d) * A;
                for (std::size_t alpha = 0; alpha < A; ++alpha)
                    row[alpha] += by_site[part][4 * (sites * alpha + k) + d];
            }
    }
}

}  // namespace scalebridge
