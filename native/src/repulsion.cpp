#include "repulsion.hpp"

#include <cmath>

namespace scalebridge {
namespace {

constexpr double coulomb = 14.399645478;  // e^2/(4 pi eps0) [eV Angstrom]
constexpr double weight[4] = {0.18175, 0.50986, 0.28022, 0.02817};
constexpr double decay[4] = {3.1998, 0.94229, 0.4029, 0.20162};

struct Pair {
    double energy, slope;  // phi and dphi/dr
};

// Universal screening of Ziegler, Biersack and Littmark (1985) times 1 - t^3 (10 - 15 t + 6 t^2).
Pair repulsion(double charge_i, double charge_j, double r, double outer) {
    const double length = 0.8854 * 0.529177210903 / (std::pow(charge_i, 0.23) + std::pow(charge_j, 0.23));
    double screen = 0.0, slope = 0.0;
    for (int k = 0; k < 4; ++k) {
        const double part = weight[k] * std::exp(-decay[k] * r / length);
        screen += part;
        slope -= part * decay[k] / length;
    }
    const double bare = coulomb * charge_i * charge_j / r;
    const double energy = bare * screen, force = bare * (slope - screen / r);
    const double inner = repulsion_whole_share * outer, t = (r - inner) / (outer - inner);
    if (t <= 0.0) return {energy, force};
    const double gate = 1.0 - t * t * t * (10.0 - 15.0 * t + 6.0 * t * t);
    const double gate_slope = -30.0 * t * t * (1.0 - t) * (1.0 - t) / (outer - inner);
    return {energy * gate, force * gate + energy * gate_slope};
}

constexpr double held_share = 0.9;  // of the range, from which on downwards the polynomial stands still

}  // namespace

SeenDistance see_distance(double r, double outer) {
    if (!(r < outer)) return {r, 1.0};
    const double band = (1.0 - held_share) * outer, t = std::fmax(0.0, (r - held_share * outer) / band);
    const double slope = t * t * t * (10.0 - 15.0 * t + 6.0 * t * t);
    const double below = t * t * t * t * (2.5 - 3.0 * t + t * t);  // integral of the slope from 0 to t
    return {outer - band * (0.5 - below), slope};
}

void add_repulsion(Workspace& w, const PotentialData& data, int width, bool gradients) {
    Batch& b = w.batch;
    for (int a = 0; a < b.count; ++a) {
        if (!w.close[a]) continue;
        const int centre = b.centre_type[b.centre[a]];
        const double* outer = data.repulsion.data() + static_cast<std::size_t>(centre) * data.species;
        for (int n = a; n < b.slots * width; n += width) {
            const int kind = static_cast<int>(b.kind[n]);
            const double d[3] = {b.dx[n], b.dy[n], b.dz[n]};
            const double square = d[0] * d[0] + d[1] * d[1] + d[2] * d[2];
            if (square >= outer[kind] * outer[kind]) continue;
            const double r = std::sqrt(square);
            const Pair pair = repulsion(data.charges[centre], data.charges[kind], r, outer[kind]);
            b.energy[a] += 0.5 * pair.energy;
            if (!gradients) continue;
            double* const g[3] = {b.gx + n, b.gy + n, b.gz + n};
            for (int k = 0; k < 3; ++k) {
                const double slope = 0.5 * pair.slope * d[k] / r;
                *g[k] += slope;
                b.total[k][a] += slope;
                for (int l = 0; l < 3; ++l) b.virial[3 * l + k][a] += d[l] * slope;
            }
        }
    }
}

}  // namespace scalebridge
