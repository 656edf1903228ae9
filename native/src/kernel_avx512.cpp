#define SB_WIDTH 8
#define SB_NAMESPACE avx512
#define SB_FACTORY kernel_avx512
#define SB_NAME "avx512"
#include "kernel_body.hpp"
