#define SB_WIDTH 2
#define SB_NAMESPACE baseline
#define SB_FACTORY kernel_baseline
#define SB_NAME "baseline"
#include "kernel_body.hpp"
