#include "scalebridge/neighbours.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <sstream>
#include <stdexcept>

namespace scalebridge {
namespace {

constexpr double max_candidates = 4.0e8;  // pair candidates: several seconds and gigabytes beyond this

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

struct Grid {
    Cell cell;
    Vector inverse[3];       // fractional coordinate d = dot(position, inverse[d])
    double origin[3];        // of the bins, in fractional units
    double width[3];         // of one bin, in fractional units
    int bins[3];
    int reach[3];            // bins to visit on each side
};

Grid make_grid(int atoms, const double* positions, const Cell& cell, const Periodicity& periodic, double cutoff) {
    Grid g;
    g.cell = complete(cell, periodic);
    const Vector a = row(g.cell, 0), b = row(g.cell, 1), c = row(g.cell, 2);
    const Vector normal[3] = {cross(b, c), cross(c, a), cross(a, b)};
    const double volume = dot(a, normal[0]);
    double images = 1.0;
    for (int d = 0; d < 3; ++d) {
        for (int k = 0; k < 3; ++k) g.inverse[d][k] = normal[d][k] / volume;
        double low = 0.0, high = 1.0;
        if (!periodic[d]) {
            low = HUGE_VAL;
            high = -HUGE_VAL;
            for (int i = 0; i < atoms; ++i) {
                const double* x = positions + 3 * i;
                const double s = x[0] * g.inverse[d][0] + x[1] * g.inverse[d][1] + x[2] * g.inverse[d][2];
                low = std::min(low, s);
                high = std::max(high, s);
            }
            if (!(high > low)) high = low + 1e-9;
        }
        const double height = (high - low) / norm(g.inverse[d]);
        const double wanted = std::max(1.0, std::cbrt(4.0 * atoms));
        g.bins[d] = static_cast<int>(std::max(1.0, std::min(std::floor(2.0 * height / cutoff), wanted)));
        g.origin[d] = low;
        g.width[d] = (high - low) / g.bins[d];
        const double reach = std::ceil(cutoff / (height / g.bins[d]) * (1.0 + 1e-12));
        if (periodic[d]) images *= 2.0 * reach / g.bins[d] + 1.0;
        g.reach[d] = static_cast<int>(std::min(reach, periodic[d] ? 1e6 : static_cast<double>(g.bins[d])));
    }
    if (images * atoms * atoms > max_candidates && images > 1000.0) {
        std::ostringstream text;
        text << "cutoff " << cutoff << " Å needs about " << std::llround(images) << " images of a cell with "
             << atoms << " atoms; use a larger cell or a smaller cutoff";
        throw std::invalid_argument(text.str());
    }
    return g;
}

struct Binned {
    std::vector<int> start, atom;      // atoms sorted by bin
    std::vector<Vector> wrapped;       // positions inside the grid
    std::vector<std::array<int, 3>> image, bin;
};

Binned bin_atoms(int atoms, const double* positions, const Periodicity& periodic, const Grid& g) {
    Binned out;
    out.wrapped.resize(atoms);
    out.image.resize(atoms);
    out.bin.resize(atoms);
    std::vector<int> flat(atoms);
    out.start.assign(static_cast<std::size_t>(g.bins[0]) * g.bins[1] * g.bins[2] + 1, 0);
    for (int i = 0; i < atoms; ++i) {
        Vector x = {positions[3 * i], positions[3 * i + 1], positions[3 * i + 2]};
        if (!(std::isfinite(x[0]) && std::isfinite(x[1]) && std::isfinite(x[2])))
            throw std::invalid_argument("the position of atom " + std::to_string(i) +
                                        " is not finite; the trajectory or input that gave it is broken");
        const Vector original = x;
        for (int d = 0; d < 3; ++d) {
            const double s = dot(original, g.inverse[d]);
            const double shift = periodic[d] ? -std::floor(s) : 0.0;
            if (std::fabs(shift) > 1e8)
                throw std::invalid_argument("the position of atom " + std::to_string(i) +
                                            " is more than 1e8 cells away; wrap it into the cell");
            out.image[i][d] = static_cast<int>(shift);
            for (int k = 0; k < 3; ++k) x[k] += shift * g.cell[3 * d + k];
            const int b = static_cast<int>((s + shift - g.origin[d]) / g.width[d]);
            out.bin[i][d] = std::min(std::max(b, 0), g.bins[d] - 1);
        }
        out.wrapped[i] = x;
        flat[i] = (out.bin[i][0] * g.bins[1] + out.bin[i][1]) * g.bins[2] + out.bin[i][2];
        ++out.start[flat[i] + 1];
    }
    for (std::size_t b = 1; b < out.start.size(); ++b) out.start[b] += out.start[b - 1];
    out.atom.resize(atoms);
    std::vector<int> next(out.start.begin(), out.start.end() - 1);
    for (int i = 0; i < atoms; ++i) out.atom[next[flat[i]]++] = i;
    return out;
}

// Bin index and whole cells crossed when `step` bins are walked from `bin`; false outside an open direction.
bool walk(int bin, int step, int bins, bool periodic, int& target, int& crossed) {
    const int raw = bin + step;
    if (raw >= 0 && raw < bins) {
        target = raw;
        crossed = 0;
        return true;
    }
    if (!periodic) return false;
    crossed = raw >= 0 ? raw / bins : -((bins - 1 - raw) / bins);
    target = raw - crossed * bins;
    return true;
}

}  // namespace

NeighbourList build_neighbours(int atoms, const int* types, const double* positions, const Cell& cell,
                               const Periodicity& periodic, double cutoff, int species) {
    NeighbourList out;
    out.cutoff = cutoff;
    out.start.assign(atoms + 1, 0);
    if (atoms == 0) return out;
    const Grid g = make_grid(atoms, positions, cell, periodic, cutoff);
    const Binned binned = bin_atoms(atoms, positions, periodic, g);
    const double limit = cutoff * cutoff;
    std::vector<std::vector<Neighbour>> found(species);
    for (int i = 0; i < atoms; ++i) {
        for (auto& list : found) list.clear();
        const Vector& xi = binned.wrapped[i];
        int bin[3], crossed[3];
        for (int a = -g.reach[0]; a <= g.reach[0]; ++a) {
            if (!walk(binned.bin[i][0], a, g.bins[0], periodic[0], bin[0], crossed[0])) continue;
            for (int b = -g.reach[1]; b <= g.reach[1]; ++b) {
                if (!walk(binned.bin[i][1], b, g.bins[1], periodic[1], bin[1], crossed[1])) continue;
                for (int c = -g.reach[2]; c <= g.reach[2]; ++c) {
                    if (!walk(binned.bin[i][2], c, g.bins[2], periodic[2], bin[2], crossed[2])) continue;
                    const int flat = (bin[0] * g.bins[1] + bin[1]) * g.bins[2] + bin[2];
                    const bool home = crossed[0] == 0 && crossed[1] == 0 && crossed[2] == 0;
                    Vector offset{};
                    for (int d = 0; d < 3; ++d)
                        for (int k = 0; k < 3; ++k) offset[k] += crossed[d] * g.cell[3 * d + k];
                    for (int n = binned.start[flat]; n < binned.start[flat + 1]; ++n) {
                        const int j = binned.atom[n];
                        const Vector& xj = binned.wrapped[j];
                        const double dx = xj[0] + offset[0] - xi[0], dy = xj[1] + offset[1] - xi[1],
                                     dz = xj[2] + offset[2] - xi[2];
                        if (dx * dx + dy * dy + dz * dz >= limit || (home && j == i)) continue;
                        Neighbour entry{j, types[j], {0.0, 0.0, 0.0}};
                        for (int d = 0; d < 3; ++d) {
                            const double cells = crossed[d] + binned.image[j][d] - binned.image[i][d];
                            for (int k = 0; k < 3; ++k) entry.shift[k] += cells * g.cell[3 * d + k];
                        }
                        found[types[j]].push_back(entry);
                    }
                }
            }
        }
        for (const auto& list : found) out.entries.insert(out.entries.end(), list.begin(), list.end());
        if (out.entries.size() > 2000000000u)
            throw std::invalid_argument("more than 2e9 pairs within the cutoff; use a smaller system or cutoff");
        out.start[i + 1] = static_cast<int>(out.entries.size());
    }
    return out;
}

}  // namespace scalebridge
