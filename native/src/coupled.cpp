#include "scalebridge/coupled.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>

#include "batches.hpp"
#include "repulsion.hpp"
#include "scalebridge/threads.hpp"

namespace scalebridge {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// Add the pair gradients of a batch, of each lane `scale` times, to the centres; subtract them from the neighbours.
void scatter(const Workspace& w, int width, const double* scale, double* sites) {
    const Batch& b = w.batch;
    for (int a = 0; a < b.count; ++a)
        for (int k = 0; k < 3; ++k) sites[4 * static_cast<std::size_t>(w.atom[a]) + k] += scale[a] * b.total[k][a];
    for (int n = 0; n < b.slots * width; ++n) {
        double* site = sites + 4 * static_cast<std::size_t>(w.site[n]);
        const double s = scale[n % width];
        site[0] -= s * b.gx[n];
        site[1] -= s * b.gy[n];
        site[2] -= s * b.gz[n];
    }
}

}  // namespace

// What the batches of one part of the work need; `own`: those of each state.
struct CoupledStates::Part {
    Part(const Potential& potential, const SiteTable& table)
        : tables(potential.tables()), sites(table), shared(take_workspace()), own{take_workspace(), take_workspace()} {}

    const Tables tables;
    const SiteTable& sites;
    WorkspaceHandle shared, own[2];
};

// Where the results go: the atoms' energies in each state, and the forces on the sites of one part of the work.
struct CoupledStates::Sums {
    double* energies[2];
    double* sites;
};

// Of each state in each lane's gradient; 0 where the lane's atom is not in the state.
struct CoupledStates::Weights {
    double state[2][8] = {}, whole[8] = {};
};

CoupledStates::CoupledStates(const Potential& potential, Configuration configuration, std::vector<int> roles)
    : potential_(potential), configuration_(std::move(configuration)), roles_(std::move(roles)) {
    if (static_cast<int>(roles_.size()) != configuration_.atoms)
        throw std::invalid_argument("roles must have shape (N,) with N = " + std::to_string(configuration_.atoms));
    for (int role : roles_)
        if (role < in_both || role > in_second)
            throw std::invalid_argument("role " + std::to_string(role) + " is not 0 (both), 1 (first) or 2 (second)");
    for (Configuration* part : {&shared_, &own_[0], &own_[1]}) {
        part->atoms = configuration_.atoms;
        part->types = configuration_.types;
    }
    split();
}

void CoupledStates::move(std::vector<double> positions) {
    if (potential_.move(configuration_, std::move(positions))) split();
}

// Sort each atom's neighbours by role. Atoms of one state do not see those of the other.
void CoupledStates::split() {
    const NeighbourList& list = configuration_.list;
    for (Configuration* part : {&shared_, &own_[0], &own_[1]}) {
        part->list.entries.clear();
        part->list.start.assign(1, 0);
    }
    std::vector<char> touched(configuration_.atoms);
    for (int i = 0; i < configuration_.atoms; ++i) {
        touched[i] = roles_[i] != in_both;
        for (int e = list.start[i]; e < list.start[i + 1]; ++e) {
            const int role = roles_[list.owner[list.entries[e]]];
            touched[i] |= role != in_both;
            if (role == in_both)
                shared_.list.entries.push_back(list.entries[e]);
            else if (roles_[i] == in_both || roles_[i] == role)
                own_[role - 1].list.entries.push_back(list.entries[e]);
        }
        for (Configuration* part : {&shared_, &own_[0], &own_[1]})
            part->list.start.push_back(static_cast<int>(part->list.entries.size()));
    }
    std::vector<int> order = list.order;
    const auto middle = std::stable_partition(order.begin(), order.end(), [&](int i) { return !touched[i]; });
    plain_ = static_cast<int>(middle - order.begin());
    for (Configuration* part : {&shared_, &own_[0], &own_[1]}) part->list.order = order;
}

void CoupledStates::plain_batch(Part& part, int first, Sums& sums) const {
    static const double whole[8] = {1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0};
    const KernelTable& kernel = potential_.kernel();
    Workspace& w = *part.shared;
    w.pack(shared_, part.sites, potential_.data(), part.tables, first, kernel.width);
    kernel.forward(part.tables, w.batch);
    kernel.adjoint(part.tables, w.batch);
    kernel.pair_gradient(part.tables, w.batch);
    add_repulsion(w, potential_.data(), kernel.width, true);
    scatter(w, kernel.width, whole, sums.sites);
    for (int a = 0; a < w.batch.count; ++a) {
        const double own = w.batch.energy[a] + potential_.data().offsets[configuration_.types[w.atom[a]]];
        for (double* energies : sums.energies) energies[w.atom[a]] = w.core_touched[a] ? infinity : own;
    }
}

CoupledStates::Weights CoupledStates::weights(const Workspace& w, double lambda) const {
    Weights out;
    for (int a = 0; a < w.batch.count; ++a) {
        const int role = roles_[w.atom[a]];
        out.state[0][a] = role == in_second ? 0.0 : 1.0 - lambda;
        out.state[1][a] = role == in_first ? 0.0 : lambda;
        out.whole[a] = out.state[0][a] + out.state[1][a];
    }
    return out;
}

void CoupledStates::mixed_batch(Part& part, int first, double lambda, Sums& sums) const {
    const KernelTable& kernel = potential_.kernel();
    const PotentialData& data = potential_.data();
    const Tables& p = part.tables;
    const int width = kernel.width, lanes = p.reduced * width;
    Workspace& common = *part.shared;
    common.pack(shared_, part.sites, data, p, first, width);
    kernel.gather(p, common.batch);
    const Weights weight = weights(common, lambda);
    const Batch& b = common.batch;
    std::fill_n(b.adjoint, lanes, 0.0);
    for (int s = 0; s < 2; ++s) {
        Workspace& w = *part.own[s];
        w.pack(own_[s], part.sites, data, p, first, width);
        kernel.gather(p, w.batch);
        for (int n = 0; n < lanes; ++n) w.batch.moment[n] += b.moment[n];
        kernel.contract(p, w.batch);
        kernel.adjoint(p, w.batch);
        double share[8] = {};
        for (int a = 0; a < b.count; ++a) share[a] = weight.whole[a] > 0.0 ? weight.state[s][a] / weight.whole[a] : 0.0;
        for (int n = 0; n < lanes; ++n) b.adjoint[n] += share[n % width] * w.batch.adjoint[n];
    }
    std::fill_n(common.batch.energy, 8, 0.0);  // of the repulsion alone
    const double* const scales[3] = {weight.whole, weight.state[0], weight.state[1]};
    Workspace* const all[3] = {&common, part.own[0].get(), part.own[1].get()};
    for (int k = 0; k < 3; ++k) {
        all[k]->borrow(p, width);
        kernel.pair_gradient(p, all[k]->batch);
        add_repulsion(*all[k], data, width, true);
        scatter(*all[k], width, scales[k], sums.sites);
    }
    for (int s = 0; s < 2; ++s) store(*part.own[s], common, s, sums.energies[s]);
}

// Energies of a batch's atoms in one state.
void CoupledStates::store(const Workspace& own, const Workspace& common, int state, double* energies) const {
    for (int a = 0; a < common.batch.count; ++a) {
        const int i = common.atom[a];
        const double energy =
            own.batch.energy[a] + common.batch.energy[a] + potential_.data().offsets[configuration_.types[i]];
        const bool absent = roles_[i] == (state == 0 ? in_second : in_first);
        energies[i] = absent ? 0.0 : own.core_touched[a] || common.core_touched[a] ? infinity : energy;
    }
}

std::array<double, 2> CoupledStates::forces(double lambda, double* forces) const {
    const int atoms = configuration_.atoms, width = potential_.width(), batches = (atoms + width - 1) / width;
    const int parts = std::max(1, std::min(potential_.threads(), batches));
    const std::vector<int>& owner = configuration_.list.owner;
    const std::size_t size = 4 * (owner.size() + 1);
    const SiteTable table(configuration_);
    std::vector<double> first(atoms), second(atoms), sites(parts * size);
    run_parallel(parts, [&](int number) {
        Part part(potential_, table);
        Sums sums{{first.data(), second.data()}, sites.data() + number * size};
        for (long long n = 1LL * batches * number / parts; n < 1LL * batches * (number + 1) / parts; ++n) {
            const int at = static_cast<int>(n) * width;
            if (at + width <= plain_)
                plain_batch(part, at, sums);
            else
                mixed_batch(part, at, lambda, sums);
        }
    });
    std::fill(forces, forces + 3 * static_cast<std::size_t>(atoms), 0.0);
    for (int part = 0; part < parts; ++part)
        for (std::size_t k = 0; k < owner.size(); ++k)
            for (int d = 0; d < 3; ++d)
                forces[3 * static_cast<std::size_t>(owner[k]) + d] += sites[part * size + 4 * k + d];
    return {std::accumulate(first.begin(), first.end(), 0.0), std::accumulate(second.begin(), second.end(), 0.0)};
}

}  // namespace scalebridge
