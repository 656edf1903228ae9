#include "scalebridge/tables.hpp"

#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <string>

namespace scalebridge {
namespace {

constexpr int widest = 8;

int rank_of(const int* row) { return row[1] + row[2] + row[3]; }

}  // namespace

TableSet::TableSet(const PotentialData& d, int width) : width_(width) {
    if (d.radial_functions > max_radial_functions || d.radial_size > max_radial_size)
        throw std::invalid_argument("the kernel takes at most 16 radial functions and 64 radial basis functions");
    shared_.species = d.species;
    shared_.radial_functions = d.radial_functions;
    shared_.radial_size = d.radial_size;
    shared_.r_min = d.r_min;
    shared_.r_max = d.r_max;
    shared_.scaling = d.scaling;
    xi_ = d.xi;
    transpose_radial(d);
    number_basic(d);
    group_products(d);
    whole_ = program_for(scalar_, xi_);
    for (int k : scalar_) parts_.push_back(program_for({k}, {1.0}));
}

void TableSet::transpose_radial(const PotentialData& d) {
    const int size = d.radial_functions * d.radial_size;
    const int stride = (d.species + widest - 1) / widest * widest;
    shared_.species_stride = stride;
    radial_.assign(static_cast<std::size_t>(d.species) * size * stride, 0.0);
    for (int i = 0; i < d.species; ++i)
        for (int j = 0; j < d.species; ++j)
            for (int k = 0; k < size; ++k)
                radial_[(static_cast<std::size_t>(i) * size + k) * stride + j] =
                    d.radial[(static_cast<std::size_t>(i) * d.species + j) * size + k];
}

void TableSet::number_basic(const PotentialData& d) {
    const int basic = static_cast<int>(d.basic.size() / 4);
    rank_of_.assign(d.radial_functions, -1);
    for (int b = 0; b < basic; ++b) {
        const int* row = &d.basic[4 * b];
        rank_of_[row[0]] = std::max(rank_of_[row[0]], rank_of(row));
    }
    shared_.rank = std::max(0, *std::max_element(rank_of_.begin(), rank_of_.end()));
    if (shared_.rank > max_rank) throw std::invalid_argument("the kernel takes moments of rank 12 at most");
    for (int mu = 0; mu < d.radial_functions; ++mu) {
        first_.push_back(shared_.reduced);
        shared_.reduced += (rank_of_[mu] + 1) * (rank_of_[mu] + 1);
        mu_of_.resize(shared_.reduced, mu);
    }
    rank_of_moment_.resize(shared_.reduced);
    for (int k = 0; k < shared_.reduced; ++k)
        while (rank_of_moment_[k] * (rank_of_moment_[k] + 2) < k - first_[mu_of_[k]]) ++rank_of_moment_[k];
    shared_.moments = shared_.reduced;
    number_.assign(d.moments, -1);
    for (int b = 0; b < basic; ++b) {
        const int* row = &d.basic[4 * b];
        number_[b] = basic_index({row[0], row[1], row[2], row[3]});
    }
    for (int k = basic; k < d.moments; ++k) number_[k] = shared_.moments++;
}

// Number of M_{mu, abc}; adds the expansion z^2 = 1 - x^2 - y^2 where c >= 2.
int TableSet::basic_index(const Row& row) {
    const auto [mu, a, b, c] = row;
    const int rank = a + b + c;
    if (c == 0) return first_[mu] + rank * rank + b;
    if (c == 1) return first_[mu] + rank * rank + rank + 1 + b;
    const auto found = known_.find(row);
    if (found != known_.end()) return found->second;
    const int terms[3] = {basic_index({mu, a, b, c - 2}), basic_index({mu, a + 2, b, c - 2}),
                          basic_index({mu, a, b + 2, c - 2})};
    const int number = shared_.moments++;
    expansions_.push_back({number, terms[0], terms[1], terms[2]});
    known_[row] = number;
    return number;
}

// Products by target, then by multiplicity, so that a factor is applied once per group.
void TableSet::group_products(const PotentialData& d) {
    const int basic = static_cast<int>(d.basic.size() / 4), products = static_cast<int>(d.products.size() / 4);
    std::vector<int> order(products), depth(shared_.moments, -1);  // -1: not defined yet
    for (int b = 0; b < basic; ++b) depth[number_[b]] = 0;
    auto defined = [&](int moment) {
        if (depth[number_[moment]] < 0)
            throw std::invalid_argument("moment " + std::to_string(moment) + " is used before it is defined");
        return number_[moment];
    };
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&d](int x, int y) {
        const int *p = &d.products[4 * x], *q = &d.products[4 * y];
        return p[3] != q[3] ? p[3] < q[3] : p[2] < q[2];
    });
    for (int n : order) {
        const int* row = &d.products[4 * n];
        if (row[3] < basic) throw std::invalid_argument("a product's target is a basic moment");
        const int left = defined(row[0]), right = defined(row[1]), target = number_[row[3]];
        if (groups_.empty() || groups_.back().target != target || groups_.back().mult != row[2])
            groups_.push_back({target, 0, row[2], {}});
        groups_.back().factors.insert(groups_.back().factors.end(), {left, right});
        depth[target] = std::max(depth[target], 1 + std::max(depth[left], depth[right]));
        shared_.depths = std::max(shared_.depths, depth[target]);
    }
    for (Group& g : groups_) g.depth = depth[g.target] - 1;
    for (int k : d.scalar) scalar_.push_back(defined(k));
}

// What the scalar functions with these moments need.
TableSet::Program TableSet::program_for(const std::vector<int>& scalars, const std::vector<double>& xi) const {
    std::vector<char> needed(shared_.moments, 0);
    for (int k : scalars) needed[k] = 1;
    for (auto g = groups_.rbegin(); g != groups_.rend(); ++g)
        if (needed[g->target])
            for (int k : g->factors) needed[k] = 1;
    for (auto row = expansions_.rbegin(); row != expansions_.rend(); ++row)
        if (needed[(*row)[0]]) needed[(*row)[1]] = needed[(*row)[2]] = needed[(*row)[3]] = 1;
    Program out;
    for (const Row& row : expansions_)
        if (needed[row[0]]) out.expansion.insert(out.expansion.end(), row.begin(), row.end());
    out.rank_of.assign(rank_of_.size(), -1);
    for (int k = 0; k < shared_.reduced; ++k)
        if (needed[k]) out.rank_of[mu_of_[k]] = std::max(out.rank_of[mu_of_[k]], rank_of_moment_[k]);
    add_steps(needed, out);
    add_seeds(std::move(needed), scalars, xi, out);
    return out;
}

void TableSet::add_seeds(std::vector<char> needed, const std::vector<int>& scalars, const std::vector<double>& xi,
                         Program& out) const {
    for (int k = 0; k < shared_.reduced; ++k)  // the pair passes read every reduced moment up to the rank
        if (rank_of_moment_[k] <= out.rank_of[mu_of_[k]]) needed[k] = 1;
    std::vector<double> seed(shared_.moments, 0.0);
    for (std::size_t n = 0; n < scalars.size(); ++n) seed[scalars[n]] += xi[n];
    for (int k = 0; k < shared_.moments; ++k) {
        if (!needed[k]) continue;
        out.seed_at.push_back(k * width_);
        out.seed.push_back(seed[k]);
    }
}

// Cuts the groups into steps of three products, the rest into steps of one: depth by depth, the first step of
// each target before the others.
void TableSet::add_steps(const std::vector<char>& needed, Program& out) const {
    struct Step {
        const Group* group;
        std::size_t from;
    };
    for (int depth = 0; depth < shared_.depths; ++depth) {
        std::vector<Step> steps[2][2];  // [not the first][one, three]
        int last = -1;
        for (const Group& g : groups_) {
            if (g.depth != depth || !needed[g.target]) continue;
            for (std::size_t t = 0; t < g.factors.size(); last = g.target) {
                const int three = g.factors.size() - t >= 6;
                steps[g.target == last][three].push_back({&g, t});
                t += three ? 6 : 2;
            }
        }
        for (int more : {0, 1})
            for (int three : {0, 1}) {
                out.start[three].push_back(static_cast<int>(out.mult[three].size()));
                for (const Step& step : steps[more][three]) {
                    out.mult[three].push_back(step.group->mult);
                    out.rows[three].push_back(step.group->target * width_);
                    for (int n = 0; n < (three ? 6 : 2); ++n)
                        out.rows[three].push_back(step.group->factors[step.from + n] * width_);
                }
            }
    }
    for (int three : {0, 1}) out.start[three].push_back(static_cast<int>(out.mult[three].size()));
}

Tables TableSet::view(const Program& program) const {
    Tables t = shared_;
    t.radial = radial_.data();
    t.rank_of = program.rank_of.data();
    t.rank = std::max(0, *std::max_element(program.rank_of.begin(), program.rank_of.end()));
    t.first = first_.data();
    t.expansions = static_cast<int>(program.expansion.size() / 4);
    t.expansion = program.expansion.data();
    t.singles = {program.start[0].data(), program.rows[0].data(), program.mult[0].data()};
    t.triples = {program.start[1].data(), program.rows[1].data(), program.mult[1].data()};
    t.seeds = static_cast<int>(program.seed.size());
    t.seed_at = program.seed_at.data();
    t.seed = program.seed.data();
    t.scalars = static_cast<int>(scalar_.size());
    t.scalar = scalar_.data();
    t.xi = xi_.data();
    return t;
}

}  // namespace scalebridge
