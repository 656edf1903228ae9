#include "scalebridge/threads.hpp"

#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <unistd.h>

namespace scalebridge {
namespace {

// One call's parts, handed out to whoever is free.
struct Job {
    const std::function<void(int)>* work;
    int next, parts, running;
    std::exception_ptr failure;
};

class Pool {
public:
    void run(int parts, const std::function<void(int)>& work) {
        Job job{&work, 0, parts, 0, nullptr};
        std::unique_lock<std::mutex> lock(mutex_);
        grow(parts - 1);
        jobs_.push_back(&job);
        wake_.notify_all();
        while (job.next < job.parts) take(job, lock);
        done_.wait(lock, [&job] { return job.running == 0; });
        if (job.failure) std::rethrow_exception(job.failure);
    }

private:
    void grow(int workers) {
        for (; workers_ < workers; ++workers_) std::thread([this] { serve(); }).detach();
    }

    // Do one part of the job; the lock is held on entry and on return.
    void take(Job& job, std::unique_lock<std::mutex>& lock) {
        const int part = job.next++;
        ++job.running;
        if (job.next == job.parts) remove(&job);
        lock.unlock();
        std::exception_ptr failure;
        try {
            (*job.work)(part);
        } catch (...) {
            failure = std::current_exception();
        }
        lock.lock();
        if (failure) job.failure = failure;
        if (--job.running == 0 && job.next == job.parts) done_.notify_all();
    }

    void remove(const Job* job) {
        for (std::size_t n = 0; n < jobs_.size(); ++n)
            if (jobs_[n] == job) {
                jobs_.erase(jobs_.begin() + static_cast<std::ptrdiff_t>(n));
                return;
            }
    }

    void serve() {
        std::unique_lock<std::mutex> lock(mutex_);
        for (;;) {
            wake_.wait(lock, [this] { return !jobs_.empty(); });
            take(*jobs_.front(), lock);
        }
    }

    std::mutex mutex_;
    std::condition_variable wake_, done_;
    std::vector<Job*> jobs_;
    int workers_ = 0;
};

// The workers of a parent process do not exist in its children, so each process has a pool of its own. Pools
// are never destroyed: their workers may still wait when the process ends.
Pool& pool() {
    static std::mutex mutex;
    static Pool* instance = nullptr;
    static pid_t owner = 0;
    const std::lock_guard<std::mutex> lock(mutex);
    if (owner != getpid()) {
        instance = new Pool;
        owner = getpid();
    }
    return *instance;
}

}  // namespace

void run_parallel(int parts, const std::function<void(int)>& work) {
    if (parts <= 1) {
        if (parts == 1) work(0);
        return;
    }
    pool().run(parts, work);
}

}  // namespace scalebridge
