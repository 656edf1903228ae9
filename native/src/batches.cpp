#include "batches.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>

#include <unistd.h>

#include "repulsion.hpp"

namespace scalebridge {

SiteTable::SiteTable(const Configuration& c) : empty(static_cast<int>(c.list.owner.size())) {
    position.resize(4 * (static_cast<std::size_t>(empty) + 1));
    type.resize(static_cast<std::size_t>(empty) + 1);
    for (int k = 0; k < empty; ++k) {
        const int i = c.list.owner[k];
        for (int d = 0; d < 3; ++d)
            position[4 * static_cast<std::size_t>(k) + d] =
                c.positions[3 * static_cast<std::size_t>(i) + d] + c.list.shift[3 * static_cast<std::size_t>(k) + d];
        type[k] = c.types[i];
    }
}

namespace {

struct Pool {
    pid_t owner;
    std::mutex mutex;
    std::vector<std::unique_ptr<Workspace>> free;
};

// A process has a pool of its own: after a fork the parent's may be locked for ever. Never destroyed: recordings
// may outlive every static object.
Pool& pool() {
    static std::atomic<Pool*> instance{nullptr};
    Pool* known = instance.load();
    const pid_t here = getpid();
    if (known != nullptr && known->owner == here) return *known;
    Pool* fresh = new Pool{here, {}, {}};
    if (instance.compare_exchange_strong(known, fresh)) return *fresh;
    delete fresh;
    return *instance.load();
}

}  // namespace

void ReturnWorkspace::operator()(Workspace* w) const {
    const std::lock_guard<std::mutex> lock(pool().mutex);
    pool().free.emplace_back(w);
}

WorkspaceHandle take_workspace() {
    const std::lock_guard<std::mutex> lock(pool().mutex);
    if (pool().free.empty()) return WorkspaceHandle(new Workspace);
    WorkspaceHandle out(pool().free.back().release());
    pool().free.pop_back();
    return out;
}

double* thread_sums(std::size_t count) {
    static thread_local Scratch<double> sums;
    double* out = sums.reserve(count);
    std::fill(out, out + count, 0.0);
    return out;
}

void Workspace::borrow(const Tables& p, int width) {
    static thread_local Scratch<double> pairs, moments;
    Batch& b = batch;
    const std::size_t lanes = static_cast<std::size_t>(b.slots) * width;
    b.gx = b.vx = pairs.reserve(3 * lanes);
    b.gy = b.vy = b.gx + lanes;
    b.gz = b.vz = b.gy + lanes;
    const std::size_t count = static_cast<std::size_t>(p.moments) * width;
    b.moment_dot = moments.reserve(2 * count);
    b.adjoint_dot = b.moment_dot + count;
}

void Workspace::reserve(const Tables& p, std::size_t slots, int width) {
    Batch& b = batch;
    const std::size_t lanes = slots * width;
    site = site_.reserve(lanes);
    b.common = common_.reserve(slots);
    b.kind = kind_.reserve(lanes);
    double* next = pairs_.reserve(7 * lanes);
    for (double** array : {&b.dx, &b.dy, &b.dz, &b.ux, &b.uy, &b.uz, &b.inverse}) {
        *array = next;
        next += lanes;
    }
    b.f = functions_.reserve(3 * lanes * p.radial_functions);
    b.df = b.f + lanes * p.radial_functions;
    b.by_f = b.df + lanes * p.radial_functions;
    const std::size_t moments = static_cast<std::size_t>(p.moments) * width;
    b.moment = moments_.reserve(2 * moments);
    b.adjoint = b.moment + moments;
}

// Neighbours of one lane that are within the cutoff; returns their number.
int Workspace::pack_lane(const Configuration& c, const SiteTable& sites, const PotentialData& data, int lane, int width) {
    const int i = atom[lane];
    const double* xi = sites.position.data() + 4 * static_cast<std::size_t>(i);
    const double x = xi[0], y = xi[1], z = xi[2], limit = data.r_max * data.r_max;
    const double* core = data.hard_core.data() + static_cast<std::size_t>(c.types[i]) * data.species;
    const double* outer = data.repulsion.data() + static_cast<std::size_t>(c.types[i]) * data.species;
    Batch& b = batch;
    int* site = site_.data();
    bool touched = false, near = false;
    int at = lane;
    for (int n = c.list.start[i]; n < c.list.start[i + 1]; ++n) {
        const int k = c.list.entries[n], type = sites.type[k];
        const double* xj = sites.position.data() + 4 * static_cast<std::size_t>(k);
        const double dx = xj[0] - x, dy = xj[1] - y, dz = xj[2] - z;
        const double square = dx * dx + dy * dy + dz * dz;
        const bool on_top = square < 1e-12;
        touched |= on_top | (square < core[type] * core[type]);
        near |= square < outer[type] * outer[type];
        b.dx[at] = dx;
        b.dy[at] = dy;
        b.dz[at] = dz;
        b.kind[at] = type;
        site[at] = k;
        at += (square < limit) & !on_top ? width : 0;
    }
    core_touched[lane] = touched;
    close[lane] = near;
    return at / width;
}

void Workspace::set_centre(int lane, int type) {
    Batch& b = batch;
    int centre = 0;
    while (centre < b.centres && b.centre_type[centre] != type) ++centre;
    if (centre == b.centres) b.centre_type[b.centres++] = type;
    b.centre[lane] = centre;
}

// Places of lanes with fewer neighbours than others, whose species they take on: none of it matters there.
void Workspace::fill_empty(const int* used, const PotentialData& data, int empty, int width) {
    Batch& b = batch;
    const int longest = static_cast<int>(std::max_element(used, used + width) - used);
    for (int a = 0; a < width; ++a)
        for (int n = used[a] * width + a; n < b.slots * width; n += width) {
            b.dx[n] = data.r_max;
            b.dy[n] = b.dz[n] = 0.0;
            b.kind[n] = n / width < used[longest] ? b.kind[n - a + longest] : 0;
            site_.data()[n] = empty;
        }
    for (int slot = 0; slot < b.slots; ++slot) {
        const long long* kind = b.kind + static_cast<std::size_t>(slot) * width;
        bool alike = b.centres == 1;
        for (int a = 1; a < width; ++a) alike &= kind[a] == kind[0];
        b.common[slot] = alike ? static_cast<int>(kind[0]) : -1;
    }
}

// Distances as the radial functions are told them, where any pair is close.
void Workspace::see(const PotentialData& data, int width) {
    Batch& b = batch;
    b.close = std::any_of(close, close + width, [](bool lane) { return lane; });
    if (!b.close) return;
    const std::size_t lanes = static_cast<std::size_t>(b.slots) * width;
    b.seen = seen_.reserve(2 * lanes);
    b.seen_slope = b.seen + lanes;
    for (std::size_t n = 0; n < lanes; ++n) {
        const double r = std::sqrt(b.dx[n] * b.dx[n] + b.dy[n] * b.dy[n] + b.dz[n] * b.dz[n]);
        const int centre = b.centre_type[b.centre[n % width]];
        const double outer = data.repulsion[static_cast<std::size_t>(centre) * data.species + b.kind[n]];
        const SeenDistance seen = see_distance(r, outer);
        b.seen[n] = seen.value;
        b.seen_slope[n] = seen.slope;
    }
}

void Workspace::pack(const Configuration& c, const SiteTable& sites, const PotentialData& data, const Tables& p,
                     int first, int width) {
    Batch& b = batch;
    b.count = std::min(width, c.atoms - first);
    b.centres = 0;
    int most = 0;
    for (int a = 0; a < 8; ++a) {
        b.centre[a] = 0;
        atom[a] = sites.empty;
        if (a >= b.count) continue;
        const int i = atom[a] = c.list.order[first + a];
        most = std::max(most, c.list.start[i + 1] - c.list.start[i]);
        set_centre(a, c.types[i]);
    }
    reserve(p, static_cast<std::size_t>(most) + slots_at_once, width);
    int used[8] = {};
    b.slots = 0;
    for (int a = 0; a < b.count; ++a) {
        used[a] = pack_lane(c, sites, data, a, width);
        b.slots = std::max(b.slots, used[a]);
    }
    b.slots = (b.slots + slots_at_once - 1) / slots_at_once * slots_at_once;
    fill_empty(used, data, sites.empty, width);
    see(data, width);
    borrow(p, width);
}

void Workspace::pack(const Environment* environments, int count, const PotentialData& data, const Tables& p, int width) {
    Batch& b = batch;
    b.count = count;
    b.centres = 0;
    int used[8] = {};
    for (int a = 0; a < width; ++a) {
        b.centre[a] = 0;
        core_touched[a] = close[a] = false;
        if (a >= count) continue;
        set_centre(a, environments[a].type);
        used[a] = static_cast<int>(environments[a].kind.size());
    }
    b.slots = (*std::max_element(used, used + width) + slots_at_once - 1) / slots_at_once * slots_at_once;
    reserve(p, b.slots, width);
    for (int a = 0; a < count; ++a) {
        const Environment& e = environments[a];
        const double* outer = data.repulsion.data() + static_cast<std::size_t>(e.type) * data.species;
        for (int n = 0; n < used[a]; ++n) {
            const double *d = e.d.data() + 3 * static_cast<std::size_t>(n), range = outer[e.kind[n]];
            b.dx[n * width + a] = d[0];
            b.dy[n * width + a] = d[1];
            b.dz[n * width + a] = d[2];
            b.kind[n * width + a] = e.kind[n];
            close[a] |= d[0] * d[0] + d[1] * d[1] + d[2] * d[2] < range * range;
        }
    }
    fill_empty(used, data, 0, width);
    see(data, width);
    borrow(p, width);
}

}  // namespace scalebridge
