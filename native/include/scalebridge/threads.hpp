// A pool of worker threads that lives as long as the process.
#pragma once

#include <functional>

namespace scalebridge {

// Calls work(part) for part = 0 .. parts-1 side by side, on the calling thread and on workers. Returns when all
// are done; an exception of any part is thrown again here. Calls from several threads at
// once, and from a child process after fork, are safe.
void run_parallel(int parts, const std::function<void(int)>& work);

}  // namespace scalebridge
