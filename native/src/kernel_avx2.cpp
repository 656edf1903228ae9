#define SB_WIDTH 4
#define SB_NAMESPACE avx2
#define SB_FACTORY kernel_avx2
#define SB_NAME "avx2"
#include "kernel_body.hpp"
