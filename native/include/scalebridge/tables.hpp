// The index tables of a potential in the form that the kernels execute.
#pragma once

#include <array>
#include <map>
#include <vector>

#include "scalebridge/kernel_table.hpp"

namespace scalebridge {

struct PotentialData {
    int species, radial_functions, radial_size;
    double r_min, r_max, scaling;
    std::vector<double> radial;          // [z_i][z_j][mu][k]
    std::vector<int> basic;              // rows (mu, a, b, c)
    std::vector<int> products;           // rows (left, right, mult, target)
    int moments;
    std::vector<int> scalar;
    std::vector<double> xi;
    std::vector<double> offsets;         // xi_z [eV]
    std::vector<double> hard_core;       // [z_i][z_j] [Å]; closer pairs have infinite energy
};

// Moments are renumbered: those with c <= 1 first, by mu, then expanded ones, then derived ones.
class TableSet {
public:
    explicit TableSet(const PotentialData& data);

    Tables whole() const { return view(whole_); }
    Tables part(int alpha) const { return view(parts_[alpha]); }  // what one scalar function needs

private:
    struct Program {
        std::vector<int> rank_of, expansion, group_target, group_start, factors;
        std::vector<double> group_mult;
    };
    using Row = std::array<int, 4>;

    Tables view(const Program& program) const;
    void transpose_radial(const PotentialData& data);
    void number_basic(const PotentialData& data);
    void group_products(const PotentialData& data);
    int basic_index(const Row& row);
    Program part_of(int alpha) const;

    Tables shared_{};                    // what all programs have in common
    Program whole_;
    std::vector<Program> parts_;
    std::vector<int> first_, number_, scalar_, mu_of_, rank_of_moment_;
    std::vector<double> radial_, xi_;
    std::map<Row, int> known_;
};

}  // namespace scalebridge
