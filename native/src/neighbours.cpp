#include "scalebridge/neighbours.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <sstream>
#include <stdexcept>

#include "scalebridge/threads.hpp"

namespace scalebridge {
namespace {

constexpr double max_candidates = 4.0e8, max_sites = 2.0e7;  // several seconds and gigabytes beyond these

using Vector = std::array<double, 3>;

Vector row(const Cell& c, int i) { return {c[3 * i], c[3 * i + 1], c[3 * i + 2]}; }
Vector cross(const Vector& a, const Vector& b) {
    return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}
double dot(const Vector& a, const Vector& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }
double norm(const Vector& a) { return std::sqrt(dot(a, a)); }

// Replace the vectors of non-periodic directions by unit vectors normal to all others.
Cell complete(const Cell& cell, const Periodicity& periodic) {
    std::vector<Vector> basis;  // orthonormal span of the vectors kept so far
    auto remove_span = [&basis](Vector v) {
        for (const Vector& b : basis) {
            const double s = dot(v, b);
            for (int d = 0; d < 3; ++d) v[d] -= s * b[d];
        }
        return v;
    };
    for (int i = 0; i < 3; ++i) {
        if (!periodic[i]) continue;
        Vector v = remove_span(row(cell, i));
        const double length = norm(v);
        if (!(length > 1e-8 * std::max(1.0, norm(row(cell, i)))))
            throw std::invalid_argument("the periodic cell vectors are linearly dependent or zero; give a "
                                        "cell of non-zero volume or switch the direction's periodicity off");
        for (double& x : v) x /= length;
        basis.push_back(v);
    }
    Cell out = cell;
    for (int i = 0; i < 3; ++i) {
        if (periodic[i]) continue;
        Vector best{};
        for (int axis = 0; axis < 3; ++axis) {
            Vector e{};
            e[axis] = 1.0;
            e = remove_span(e);
            if (norm(e) > norm(best)) best = e;
        }
        const double length = norm(best);
        for (int d = 0; d < 3; ++d) out[3 * i + d] = best[d] / length;
        basis.push_back(row(out, i));
    }
    return out;
}

// Sites and their fractional coordinates.
struct Sites {
    Cell cell;
    Vector inverse[3];             // fractional coordinate d = dot(position, inverse[d])
    double margin[3];              // cutoff over the cell's height
    std::vector<Vector> fraction, position;
};

void prepare_cell(Sites& s, int atoms, const Cell& cell, const Periodicity& periodic, double cutoff) {
    s.cell = complete(cell, periodic);
    const Vector a = row(s.cell, 0), b = row(s.cell, 1), c = row(s.cell, 2);
    const Vector normal[3] = {cross(b, c), cross(c, a), cross(a, b)};
    const double volume = dot(a, normal[0]);
    double images = 1.0;
    for (int d = 0; d < 3; ++d) {
        for (int k = 0; k < 3; ++k) s.inverse[d][k] = normal[d][k] / volume;
        s.margin[d] = cutoff * norm(s.inverse[d]) * (1.0 + 1e-12);
        if (periodic[d]) images *= 2.0 * s.margin[d] + 1.0;
    }
    if (images > 1000.0 && (images * atoms > max_sites || images * atoms * atoms > max_candidates)) {
        std::ostringstream text;
        text << "cutoff " << cutoff << " Å needs about " << std::llround(images) << " images of a cell with "
             << atoms << " atoms; use a larger cell or a smaller cutoff";
        throw std::invalid_argument(text.str());
    }
}

Vector combine(const Cell& cell, const Vector& weights) {
    Vector out{};
    for (int d = 0; d < 3; ++d)
        for (int k = 0; k < 3; ++k) out[k] += weights[d] * cell[3 * d + k];
    return out;
}

void add_site(Sites& s, NeighbourList& list, int owner, const double* x, const Vector& fraction, const Vector& cells) {
    const Vector shift = combine(s.cell, cells);
    list.owner.push_back(owner);
    list.shift.insert(list.shift.end(), shift.begin(), shift.end());
    s.position.push_back({x[0] + shift[0], x[1] + shift[1], x[2] + shift[2]});
    s.fraction.push_back({fraction[0] + cells[0], fraction[1] + cells[1], fraction[2] + cells[2]});
}

// The atoms wrapped into the cell, then every image within the cutoff of it.
Sites make_sites(int atoms, const double* positions, const Cell& cell, const Periodicity& periodic,
                 NeighbourList& list) {
    Sites s;
    prepare_cell(s, atoms, cell, periodic, list.cutoff);
    std::vector<Vector> fraction(atoms), home(atoms);
    for (int i = 0; i < atoms; ++i) {
        const double* x = positions + 3 * static_cast<std::size_t>(i);
        if (!std::isfinite(x[0]) || !std::isfinite(x[1]) || !std::isfinite(x[2]))
            throw std::invalid_argument("the position of atom " + std::to_string(i) +
                                        " is not finite; the trajectory or input that gave it is broken");
        for (int d = 0; d < 3; ++d) {
            fraction[i][d] = dot({x[0], x[1], x[2]}, s.inverse[d]);
            home[i][d] = periodic[d] ? -std::floor(fraction[i][d]) : 0.0;
            if (std::fabs(home[i][d]) > 1e8)
                throw std::invalid_argument("the position of atom " + std::to_string(i) +
                                            " is more than 1e8 cells away; wrap it into the cell");
        }
        add_site(s, list, i, x, fraction[i], home[i]);
    }
    for (int i = 0; i < atoms; ++i) {
        int low[3] = {}, high[3] = {};
        for (int d = 0; d < 3; ++d) {
            if (!periodic[d]) continue;
            const double inside = fraction[i][d] + home[i][d];
            low[d] = static_cast<int>(std::ceil(-s.margin[d] - inside));
            high[d] = static_cast<int>(std::floor(1.0 + s.margin[d] - inside));
        }
        for (int a = low[0]; a <= high[0]; ++a)
            for (int b = low[1]; b <= high[1]; ++b)
                for (int c = low[2]; c <= high[2]; ++c)
                    if (a != 0 || b != 0 || c != 0)
                        add_site(s, list, i, positions + 3 * static_cast<std::size_t>(i), fraction[i],
                                 {home[i][0] + a, home[i][1] + b, home[i][2] + c});
    }
    return s;
}

// Sites sorted into bins about half a cutoff wide; rows of bins along the third direction lie side by side.
struct Bins {
    int bins[3], reach[3];
    std::vector<std::array<int, 3>> bin;   // of each site
    std::vector<int> start, site;
    std::vector<double> x, y, z;           // of the sorted sites
};

// Fractional coordinates between which the bins lie along direction d; sites outside go to the first or last bin.
// A few sites far from all others would make the bins as wide as the rest: then without one site in 50 at each end.
std::array<double, 2> bin_range(const Sites& s, int d, double most_extent) {
    std::vector<double> f(s.fraction.size());
    for (std::size_t k = 0; k < f.size(); ++k) f[k] = s.fraction[k][d];
    const auto ends = std::minmax_element(f.begin(), f.end());
    const std::array<double, 2> all = {*ends.first, *ends.second};
    if (all[1] - all[0] <= most_extent) return all;
    const std::size_t few = f.size() / 50;
    std::nth_element(f.begin(), f.begin() + few, f.end());
    const double low = f[few];
    std::nth_element(f.begin(), f.end() - 1 - few, f.end());
    return {low, f[f.size() - 1 - few]};
}

Bins sort_sites(const Sites& s, double cutoff) {
    Bins out;
    const std::size_t count = s.position.size();
    double low[3], width[3];
    const double most = std::max(1.0, std::cbrt(8.0 * static_cast<double>(count)));
    for (int d = 0; d < 3; ++d) {
        const double per_cutoff = s.margin[d];
        const std::array<double, 2> range = bin_range(s, d, 0.5 * most * per_cutoff);
        low[d] = range[0];
        const double extent = std::max(range[1] - range[0], 1e-9 * per_cutoff);
        out.bins[d] = static_cast<int>(std::max(1.0, std::min(std::floor(2.0 * extent / per_cutoff), most)));
        width[d] = extent / out.bins[d];
        out.reach[d] = static_cast<int>(std::min(std::ceil(per_cutoff / width[d]), 1.0 * out.bins[d]));
    }
    out.bin.resize(count);
    std::vector<int> flat(count);
    out.start.assign(static_cast<std::size_t>(out.bins[0]) * out.bins[1] * out.bins[2] + 1, 0);
    for (std::size_t k = 0; k < count; ++k) {
        for (int d = 0; d < 3; ++d)
            out.bin[k][d] = static_cast<int>(
                std::min(std::max((s.fraction[k][d] - low[d]) / width[d], 0.0), out.bins[d] - 1.0));
        flat[k] = (out.bin[k][0] * out.bins[1] + out.bin[k][1]) * out.bins[2] + out.bin[k][2];
        ++out.start[flat[k] + 1];
    }
    for (std::size_t b = 1; b < out.start.size(); ++b) out.start[b] += out.start[b - 1];
    out.site.resize(count);
    out.x.resize(count);
    out.y.resize(count);
    out.z.resize(count);
    std::vector<int> next(out.start.begin(), out.start.end() - 1);
    for (std::size_t k = 0; k < count; ++k) {
        const int at = next[flat[k]]++;
        out.site[at] = static_cast<int>(k);
        out.x[at] = s.position[k][0];
        out.y[at] = s.position[k][1];
        out.z[at] = s.position[k][2];
    }
    return out;
}

// Neighbours of a run of atoms, one atom after the other.
class Search {
public:
    Search(const Sites& sites, const Bins& bins, const NeighbourList& list, const int* types, int species)
        : sites_(sites), bins_(bins), list_(list), types_(types), limit_(list.cutoff * list.cutoff),
          next_(species + 1) {}

    std::vector<int> entries, counts;

    void add(int i) {
        const int count = find(i);
        const std::size_t begin = entries.size();
        entries.resize(begin + count);
        counts.push_back(count);
        if (next_.size() == 2) {
            std::copy(found_.begin(), found_.begin() + count, entries.begin() + begin);
            return;
        }
        std::fill(next_.begin(), next_.end(), 0);
        for (int n = 0; n < count; ++n) ++next_[type(found_[n]) + 1];
        for (std::size_t z = 1; z < next_.size(); ++z) next_[z] += next_[z - 1];
        for (int n = 0; n < count; ++n) entries[begin + next_[type(found_[n])]++] = found_[n];
    }

private:
    int type(int site) const { return types_[list_.owner[site]]; }

    // Sites within the cutoff of atom i into found_; returns their number.
    int find(int i) {
        int count = 0, from[3], to[3];
        for (int d = 0; d < 3; ++d) {
            from[d] = std::max(0, bins_.bin[i][d] - bins_.reach[d]);
            to[d] = std::min(bins_.bins[d] - 1, bins_.bin[i][d] + bins_.reach[d]);
        }
        for (int p = from[0]; p <= to[0]; ++p)
            for (int q = from[1]; q <= to[1]; ++q) {
                const int line = (p * bins_.bins[1] + q) * bins_.bins[2];
                count = scan(i, bins_.start[line + from[2]], bins_.start[line + to[2] + 1], count);
            }
        return count;
    }

    int scan(int i, int begin, int end, int count) {
        const std::size_t length = end - begin;
        if (found_.size() < count + length) found_.resize(2 * (count + length));
        if (square_.size() < length) square_.resize(2 * length);
        const Vector& x = sites_.position[i];
        const double *sx = bins_.x.data() + begin, *sy = bins_.y.data() + begin, *sz = bins_.z.data() + begin;
        double* square = square_.data();
        for (std::size_t n = 0; n < length; ++n) {
            const double dx = sx[n] - x[0], dy = sy[n] - x[1], dz = sz[n] - x[2];
            square[n] = dx * dx + dy * dy + dz * dz;
        }
        const int* site = bins_.site.data() + begin;
        int* out = found_.data();
        for (std::size_t n = 0; n < length; ++n) {
            out[count] = site[n];
            count += (square[n] < limit_) & (site[n] != i);
        }
        return count;
    }

    const Sites& sites_;
    const Bins& bins_;
    const NeighbourList& list_;
    const int* types_;
    double limit_;
    std::vector<int> next_, found_;
    std::vector<double> square_;
};

// Atoms of one species with equal numbers of neighbours side by side, so that vectors of atoms are full;
// within stretches of the list, so that atoms that are close in memory stay so.
std::vector<int> lane_order(int atoms, const int* types, const std::vector<int>& start) {
    constexpr int stretch = 512;
    std::vector<int> order(atoms);
    std::iota(order.begin(), order.end(), 0);
    for (int first = 0; first < atoms; first += stretch)
        std::sort(order.begin() + first, order.begin() + std::min(atoms, first + stretch), [&](int i, int j) {
            const int ni = start[i + 1] - start[i], nj = start[j + 1] - start[j];
            return types[i] != types[j] ? types[i] < types[j] : ni != nj ? ni < nj : i < j;
        });
    return order;
}

}  // namespace

std::array<double, 3> wrapped(const std::array<double, 3>& position, const Cell& cell, const Periodicity& periodic) {
    Sites s;
    prepare_cell(s, 1, cell, periodic, 0.0);
    Vector cells{};
    for (int d = 0; d < 3; ++d) cells[d] = periodic[d] ? -std::floor(dot(position, s.inverse[d])) : 0.0;
    const Vector shift = combine(s.cell, cells);
    return {position[0] + shift[0], position[1] + shift[1], position[2] + shift[2]};
}

std::vector<double> translations(const Cell& cell, const Periodicity& periodic, double cutoff) {
    Sites s;
    prepare_cell(s, 1, cell, periodic, cutoff);
    int most[3];
    for (int d = 0; d < 3; ++d) most[d] = periodic[d] ? static_cast<int>(std::floor(s.margin[d])) : 0;
    std::vector<double> out;
    for (int a = -most[0]; a <= most[0]; ++a)
        for (int b = -most[1]; b <= most[1]; ++b)
            for (int c = -most[2]; c <= most[2]; ++c) {
                const Vector shift = combine(s.cell, {1.0 * a, 1.0 * b, 1.0 * c});
                if ((a != 0 || b != 0 || c != 0) && dot(shift, shift) < cutoff * cutoff)
                    out.insert(out.end(), shift.begin(), shift.end());
            }
    return out;
}

std::vector<double> with_images(const std::array<double, 3>& position, const Cell& cell, const Periodicity& periodic,
                                double cutoff) {
    NeighbourList list;
    list.cutoff = cutoff;
    const Sites sites = make_sites(1, position.data(), cell, periodic, list);
    std::vector<double> out;
    for (const Vector& x : sites.position) out.insert(out.end(), x.begin(), x.end());
    return out;
}

NeighbourList build_neighbours(int atoms, const int* types, const double* positions, const Cell& cell,
                               const Periodicity& periodic, double cutoff, int species, int threads) {
    NeighbourList out;
    out.cutoff = cutoff;
    out.start.assign(atoms + 1, 0);
    if (atoms == 0) return out;
    const Sites sites = make_sites(atoms, positions, cell, periodic, out);
    const Bins bins = sort_sites(sites, cutoff);
    const int parts = std::max(1, std::min(threads, atoms / 64));
    std::vector<Search> searches(parts, Search(sites, bins, out, types, species));
    auto first = [&](int part) { return static_cast<int>(static_cast<long long>(atoms) * part / parts); };
    run_parallel(parts, [&](int part) {
        for (int i = first(part); i < first(part + 1); ++i) searches[part].add(i);
    });
    std::size_t total = 0;
    for (const Search& search : searches) total += search.entries.size();
    if (total > 2000000000u)
        throw std::invalid_argument("more than 2e9 pairs within the cutoff; use a smaller system or cutoff");
    out.entries.reserve(total);
    for (int part = 0; part < parts; ++part) {
        const Search& search = searches[part];
        for (int i = first(part); i < first(part + 1); ++i)
            out.start[i + 1] = out.start[i] + search.counts[i - first(part)];
        out.entries.insert(out.entries.end(), search.entries.begin(), search.entries.end());
    }
    out.order = lane_order(atoms, types, out.start);
    return out;
}

}  // namespace scalebridge
