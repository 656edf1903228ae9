// The vector kernels. Included by one translation unit per instruction set, which defines SB_WIDTH (doubles
// per vector), SB_NAMESPACE, SB_FACTORY and SB_NAME.
#include "kernel_grade.hpp"
#include "kernel_tangent.hpp"

namespace scalebridge {
namespace SB_NAMESPACE {

static void gather(const Tables& p, Batch& b) {
    radial_part(p, b);
    clear(b.moment, p.reduced);
    accumulate(p, b);
}

static void contract(const Tables& p, Batch& b) {
    expand(p, b.moment);
    multiply(p, b.moment);
    energies(p, b);
}

static void forward(const Tables& p, Batch& b) {
    gather(p, b);
    contract(p, b);
}

}  // namespace SB_NAMESPACE

const KernelTable& SB_FACTORY() {
    static constexpr KernelTable table = {SB_NAME,
                                          SB_WIDTH,
                                          SB_NAMESPACE::forward,
                                          SB_NAMESPACE::gather,
                                          SB_NAMESPACE::contract,
                                          SB_NAMESPACE::adjoint,
                                          SB_NAMESPACE::pair_gradient,
                                          SB_NAMESPACE::radial_adjoints,
                                          SB_NAMESPACE::radial_rows,
                                          SB_NAMESPACE::tangent_gradient,
                                          SB_NAMESPACE::largest_product};
    return table;
}

}  // namespace scalebridge
