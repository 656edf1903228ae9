#include "scalebridge/potential.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <map>
#include <new>
#include <numeric>
#include <stdexcept>
#include <string>

namespace scalebridge {
namespace {

constexpr int max_monomials = 455, max_radial = 16, max_radial_size = 64, max_coefficients = 512;

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

// Aligned scratch that grows.
class Scratch {
public:
    Scratch() = default;
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    ~Scratch() { std::free(data_); }
    double* reserve(std::size_t count) {
        if (count > size_) {
            const std::size_t grown = (count + count / 2 + 7) / 8 * 8;
            double* fresh = static_cast<double*>(std::aligned_alloc(64, grown * sizeof(double)));
            if (fresh == nullptr) throw std::bad_alloc();
            if (size_ > 0) std::memcpy(fresh, data_, size_ * sizeof(double));
            std::free(data_);
            data_ = fresh;
            size_ = grown;
        }
        return data_;
    }
    double* data() const { return data_; }

private:
    double* data_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace

// Scratch arrays of one pass over a configuration.
class Potential::Workspace {
public:
    Batch batch{};
    std::vector<int> pair_atom;   // neighbour's index per lane, -1 in empty lanes
    std::vector<int> block_type;
    int first = 0;                // central atom of lane 0
    bool tangent = false;
    bool core_touched[8] = {};
    Scratch dx, dy, dz, r, gx, gy, gz, vx, vy, vz, f, df, accumulator, moment, adjoint, moment_dot, adjoint_dot;

    void reserve(const Tables& p, int width) {
        const std::size_t blocks = block_type.size(), lanes = blocks * width;
        batch.block_type = block_type.data();
        batch.dx = dx.reserve(lanes); batch.dy = dy.reserve(lanes); batch.dz = dz.reserve(lanes);
        batch.r = r.reserve(lanes);
        batch.gx = gx.reserve(lanes); batch.gy = gy.reserve(lanes); batch.gz = gz.reserve(lanes);
        batch.vx = vx.reserve(lanes); batch.vy = vy.reserve(lanes); batch.vz = vz.reserve(lanes);
        batch.f = f.reserve(lanes * p.radial_functions);
        batch.df = df.reserve(lanes * p.radial_functions);
        batch.accumulator = accumulator.reserve(static_cast<std::size_t>(width) * p.basic * width);
        const std::size_t moments = static_cast<std::size_t>(p.moments) * width;
        batch.moment = moment.reserve(moments);
        batch.adjoint = adjoint.reserve(moments);
        batch.moment_dot = moment_dot.reserve(moments);
        batch.adjoint_dot = adjoint_dot.reserve(moments);
    }
};

Potential::Potential(PotentialData data, const char* kernel) : data_(std::move(data)), kernel_(choose_kernel(kernel)) {
    const PotentialData& d = data_;
    if (d.radial_functions > max_radial || d.radial_size > max_radial_size ||
        d.radial_functions * d.radial_size > max_coefficients)
        throw std::invalid_argument("the kernel takes at most 16 radial functions, 64 radial basis functions and "
                                    "512 coefficients per species pair");
    const int basic = static_cast<int>(d.basic.size() / 4);
    int rank = 0;
    for (int b = 0; b < basic; ++b)
        rank = std::max(rank, d.basic[4 * b + 1] + d.basic[4 * b + 2] + d.basic[4 * b + 3]);
    std::map<std::array<int, 3>, int> index;
    for (int n = 0; n <= rank; ++n)
        for (int a = n; a >= 0; --a)
            for (int b = n - a; b >= 0; --b) {
                std::array<int, 3> power = {a, b, n - a - b};
                const int monomial = monomials_++;
                index[power] = monomial;
                if (n == 0) {
                    parent_.push_back(0);
                    continue;
                }
                const int axis = a > 0 ? 0 : b > 0 ? 1 : 2;
                --power[axis];
                parent_.push_back(index.at(power));
                if (run_axis_.empty() || run_axis_.back() != axis) {
                    run_start_.push_back(monomial);
                    run_axis_.push_back(axis);
                }
            }
    run_start_.push_back(monomials_);
    if (monomials_ > max_monomials) throw std::invalid_argument("the kernel takes moments of rank 12 at most");
    for (int mu = 0; mu < d.radial_functions; ++mu) {
        entry_start_.push_back(static_cast<int>(entry_basic_.size()));
        for (int b = 0; b < basic; ++b) {
            if (d.basic[4 * b] != mu) continue;
            entry_monomial_.push_back(index.at({d.basic[4 * b + 1], d.basic[4 * b + 2], d.basic[4 * b + 3]}));
            entry_basic_.push_back(b);
        }
    }
    entry_start_.push_back(static_cast<int>(entry_basic_.size()));
    const int products = static_cast<int>(d.products.size() / 4);
    std::vector<int> order(products);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&d](int x, int y) { return d.products[4 * x + 3] < d.products[4 * y + 3]; });
    for (int n = 0; n < products; ++n) {
        const int* row = &d.products[4 * order[n]];
        if (target_.empty() || target_.back() != row[3]) {
            target_.push_back(row[3]);
            target_start_.push_back(n);
        }
        left_.push_back(row[0]);
        right_.push_back(row[1]);
        mult_.push_back(row[2]);
    }
    target_start_.push_back(products);
    for (std::size_t alpha = 0; alpha < d.scalar.size(); ++alpha) parts_.push_back(part_of(static_cast<int>(alpha)));
}

Potential::Part Potential::part_of(int alpha) const {
    std::vector<char> needed(data_.moments, 0);
    needed[data_.scalar[alpha]] = 1;
    std::vector<std::size_t> groups;
    for (std::size_t g = target_.size(); g-- > 0;) {
        if (!needed[target_[g]]) continue;
        groups.push_back(g);
        for (int t = target_start_[g]; t < target_start_[g + 1]; ++t) needed[left_[t]] = needed[right_[t]] = 1;
    }
    Part out;
    for (auto g = groups.rbegin(); g != groups.rend(); ++g) {
        out.target.push_back(target_[*g]);
        out.target_start.push_back(static_cast<int>(out.left.size()));
        for (int t = target_start_[*g]; t < target_start_[*g + 1]; ++t) {
            out.left.push_back(left_[t]);
            out.right.push_back(right_[t]);
            out.mult.push_back(mult_[t]);
        }
    }
    out.target_start.push_back(static_cast<int>(out.left.size()));
    int last = 0;
    for (int mu = 0; mu < data_.radial_functions; ++mu) {
        out.entry_start.push_back(static_cast<int>(out.entry_basic.size()));
        for (int e = entry_start_[mu]; e < entry_start_[mu + 1]; ++e) {
            if (!needed[entry_basic_[e]]) continue;
            out.entry_monomial.push_back(entry_monomial_[e]);
            out.entry_basic.push_back(entry_basic_[e]);
            last = std::max(last, entry_monomial_[e]);
        }
    }
    out.entry_start.push_back(static_cast<int>(out.entry_basic.size()));
    out.runs = 0;
    while (run_start_[out.runs] <= last) ++out.runs;
    out.monomials = run_start_[out.runs];
    return out;
}

Tables Potential::reduced(const Tables& whole, const Part& part) const {
    Tables t = whole;
    t.entry_start = part.entry_start.data();
    t.entry_monomial = part.entry_monomial.data();
    t.entry_basic = part.entry_basic.data();
    t.targets = static_cast<int>(part.target.size());
    t.target = part.target.data();
    t.target_start = part.target_start.data();
    t.left = part.left.data();
    t.right = part.right.data();
    t.mult = part.mult.data();
    t.runs = part.runs;
    t.monomials = part.monomials;
    return t;
}

Tables Potential::tables() const {
    Tables t{};
    t.species = data_.species;
    t.radial_functions = data_.radial_functions;
    t.radial_size = data_.radial_size;
    t.r_min = data_.r_min;
    t.r_max = data_.r_max;
    t.scaling = data_.scaling;
    t.radial = data_.radial.data();
    t.monomials = monomials_;
    t.parent = parent_.data();
    t.runs = static_cast<int>(run_axis_.size());
    t.run_start = run_start_.data();
    t.run_axis = run_axis_.data();
    t.entry_start = entry_start_.data();
    t.entry_monomial = entry_monomial_.data();
    t.entry_basic = entry_basic_.data();
    t.basic = static_cast<int>(data_.basic.size() / 4);
    t.moments = data_.moments;
    t.targets = static_cast<int>(target_.size());
    t.target = target_.data();
    t.target_start = target_start_.data();
    t.left = left_.data();
    t.right = right_.data();
    t.mult = mult_.data();
    t.scalars = static_cast<int>(data_.scalar.size());
    t.scalar = data_.scalar.data();
    t.xi = data_.xi.data();
    return t;
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
    c.types = std::move(types);
    c.positions = std::move(positions);
    c.cell = cell;
    c.periodic = periodic;
    c.list = build_neighbours(c.atoms, c.types.data(), c.positions.data(), cell, periodic, data_.r_max + skin,
                              data_.species);
    return c;
}

// Packs `width` atoms at a time into blocks of lanes and calls visit(tables, workspace).
template <class Visit>
void Potential::for_batches(const Configuration& c, Workspace& w, Visit visit) const {
    const Tables p = tables();
    const int width = kernel_->width;
    const double limit = p.r_max * p.r_max;
    for (w.first = 0; w.first < c.atoms; w.first += width) {
        Batch& b = w.batch;
        b.count = std::min(width, c.atoms - w.first);
        std::size_t lanes = 0;
        for (int a = 0; a < b.count; ++a)
            lanes += c.list.start[w.first + a + 1] - c.list.start[w.first + a] + p.species * width;
        double *dx = w.dx.reserve(lanes), *dy = w.dy.reserve(lanes), *dz = w.dz.reserve(lanes),
               *r = w.r.reserve(lanes);
        w.pair_atom.resize(lanes);
        w.block_type.clear();
        int used = 0;
        auto pad = [&]() {
            for (; used % width != 0; ++used) {
                dx[used] = dy[used] = dz[used] = 0.0;
                r[used] = p.r_max;
                w.pair_atom[used] = -1;
            }
        };
        for (int a = 0; a < b.count; ++a) {
            const int i = w.first + a;
            const double x = c.positions[3 * i], y = c.positions[3 * i + 1], z = c.positions[3 * i + 2];
            const double* core = data_.hard_core.data() + static_cast<std::size_t>(c.types[i]) * p.species;
            b.type[a] = c.types[i];
            b.block_start[a] = static_cast<int>(w.block_type.size());
            w.core_touched[a] = false;
            int type = -1;
            for (int n = c.list.start[i]; n < c.list.start[i + 1]; ++n) {
                const Neighbour& entry = c.list.entries[n];
                const double* xj = c.positions.data() + 3 * static_cast<std::size_t>(entry.atom);
                const double ex = xj[0] - x + entry.shift[0], ey = xj[1] - y + entry.shift[1],
                             ez = xj[2] - z + entry.shift[2];
                const double square = ex * ex + ey * ey + ez * ez;
                if (square >= limit) continue;
                if (entry.type != type) {
                    pad();
                    type = entry.type;
                }
                const double distance = std::sqrt(square);
                if (distance < core[type] || square < 1e-12) {
                    w.core_touched[a] = true;
                    if (square < 1e-12) continue;
                }
                if (used % width == 0) w.block_type.push_back(type);
                dx[used] = ex; dy[used] = ey; dz[used] = ez;
                r[used] = distance;
                w.pair_atom[used++] = entry.atom;
            }
            pad();
        }
        for (int a = b.count; a <= 8; ++a) b.block_start[a] = static_cast<int>(w.block_type.size());
        w.reserve(p, width);
        visit(p, w);
    }
}

void Potential::energies(const Configuration& c, double* energies) const {
    Workspace w;
    for_batches(c, w, [&](const Tables& p, Workspace& s) {
        kernel_->forward(p, s.batch);
        for (int a = 0; a < s.batch.count; ++a)
            energies[s.first + a] = s.core_touched[a] ? std::numeric_limits<double>::infinity()
                                                      : s.batch.energy[a] + data_.offsets[s.batch.type[a]];
    });
}

void Potential::forces(const Configuration& c, double* energies, double* forces, double* virial) const {
    std::fill(forces, forces + 3 * static_cast<std::size_t>(c.atoms), 0.0);
    std::fill(virial, virial + 9, 0.0);
    Workspace w;
    const int width = kernel_->width;
    for_batches(c, w, [&](const Tables& p, Workspace& s) {
        kernel_->forward(p, s.batch);
        kernel_->adjoint(p, s.batch);
        kernel_->pair_gradient(p, s.batch);
        const Batch& b = s.batch;
        for (int a = 0; a < b.count; ++a) {
            energies[s.first + a] = s.core_touched[a] ? std::numeric_limits<double>::infinity()
                                                      : b.energy[a] + data_.offsets[b.type[a]];
            double total[3] = {0.0, 0.0, 0.0};
            for (int n = b.block_start[a] * width; n < b.block_start[a + 1] * width; ++n) {
                if (s.pair_atom[n] < 0) continue;
                const double g[3] = {b.gx[n], b.gy[n], b.gz[n]}, d[3] = {b.dx[n], b.dy[n], b.dz[n]};
                double* other = forces + 3 * static_cast<std::size_t>(s.pair_atom[n]);
                for (int k = 0; k < 3; ++k) {
                    total[k] += g[k];
                    other[k] -= g[k];
                    for (int l = 0; l < 3; ++l) virial[3 * k + l] -= d[k] * g[l];
                }
            }
            for (int k = 0; k < 3; ++k) forces[3 * static_cast<std::size_t>(s.first + a) + k] += total[k];
        }
    });
}

void Potential::rows(const Configuration& c, double* values, double* radial) const {
    Workspace w;
    const int width = kernel_->width, scalars = static_cast<int>(data_.scalar.size());
    const std::size_t size = static_cast<std::size_t>(data_.species) * data_.radial_functions * data_.radial_size;
    std::fill(radial, radial + size * c.atoms, 0.0);
    for_batches(c, w, [&](const Tables& p, Workspace& s) {
        kernel_->forward(p, s.batch);
        kernel_->adjoint(p, s.batch);
        double* out[8] = {};
        for (int a = 0; a < s.batch.count; ++a) {
            out[a] = radial + size * (s.first + a);
            for (int k = 0; k < scalars; ++k)
                values[static_cast<std::size_t>(s.first + a) * scalars + k] =
                    s.batch.moment[static_cast<std::size_t>(p.scalar[k]) * width + a];
        }
        kernel_->radial_rows(p, s.batch, out);
    });
}

void Potential::design(const Configuration& c, double* values, double* gradients, double* virials) const {
    Workspace w;
    const int width = kernel_->width, scalars = static_cast<int>(data_.scalar.size());
    const std::size_t A = scalars;
    std::fill(values, values + A, 0.0);
    std::fill(gradients, gradients + 3 * A * c.atoms, 0.0);
    std::fill(virials, virials + 9 * A, 0.0);
    for_batches(c, w, [&](const Tables& p, Workspace& s) {
        kernel_->forward(p, s.batch);
        Batch& b = s.batch;
        for (int alpha = 0; alpha < scalars; ++alpha) {
            for (int a = 0; a < b.count; ++a)
                values[alpha] += b.moment[static_cast<std::size_t>(p.scalar[alpha]) * width + a];
            const Tables part = reduced(p, parts_[alpha]);
            kernel_->adjoint_single(part, b, alpha);
            kernel_->pair_gradient(part, b);
            double virial[9] = {};
            for (int a = 0; a < b.count; ++a) {
                double total[3] = {0.0, 0.0, 0.0};
                for (int n = b.block_start[a] * width; n < b.block_start[a + 1] * width; ++n) {
                    if (s.pair_atom[n] < 0) continue;
                    const double g[3] = {b.gx[n], b.gy[n], b.gz[n]}, d[3] = {b.dx[n], b.dy[n], b.dz[n]};
                    double* other = gradients + 3 * A * s.pair_atom[n] + alpha;
                    for (int k = 0; k < 3; ++k) {
                        total[k] += g[k];
                        other[k * A] += g[k];
                        for (int l = 0; l < 3; ++l) virial[3 * k + l] -= d[k] * g[l];
                    }
                }
                for (int k = 0; k < 3; ++k) gradients[3 * A * (s.first + a) + k * A + alpha] -= total[k];
            }
            for (int k = 0; k < 9; ++k) virials[k * A + alpha] += virial[k];
        }
    });
}

void Potential::tangent_gradient(const Configuration& c, double weight, const double* velocities,
                                 const double* strain_rate, double* out) const {
    Workspace w;
    const int width = kernel_->width;
    for_batches(c, w, [&](const Tables& p, Workspace& s) {
        Batch& b = s.batch;
        for (int a = 0; a < 8; ++a) b.energy_weight[a] = weight;
        for (int a = 0; a < b.count; ++a) {
            const double* vi = velocities + 3 * static_cast<std::size_t>(s.first + a);
            for (int n = b.block_start[a] * width; n < b.block_start[a + 1] * width; ++n) {
                double v[3] = {0.0, 0.0, 0.0};
                if (s.pair_atom[n] >= 0) {
                    const double* vj = velocities + 3 * static_cast<std::size_t>(s.pair_atom[n]);
                    const double d[3] = {b.dx[n], b.dy[n], b.dz[n]};
                    for (int k = 0; k < 3; ++k)
                        v[k] = vj[k] - vi[k] + strain_rate[3 * k] * d[0] + strain_rate[3 * k + 1] * d[1] +
                               strain_rate[3 * k + 2] * d[2];
                }
                b.vx[n] = v[0];
                b.vy[n] = v[1];
                b.vz[n] = v[2];
            }
        }
        kernel_->forward(p, b);
        kernel_->tangent_gradient(p, b, out);
    });
}

}  // namespace scalebridge
