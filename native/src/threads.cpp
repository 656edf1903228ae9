#include "scalebridge/threads.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <unistd.h>

namespace scalebridge {
namespace {

// To wake a sleeping thread can take as long as a small call: look out this long for what comes next.
constexpr std::chrono::microseconds patience{200};

template <class Condition>
void look_out(Condition met) {
    for (const auto end = std::chrono::steady_clock::now() + patience;
         !met() && std::chrono::steady_clock::now() < end;) {
#if defined(SCALEBRIDGE_X86)
        __builtin_ia32_pause();
#endif
    }
}

// One call's parts, handed out to whoever is free.
struct Job {
    const std::function<void(int)>* work;
    int next, parts;
    std::atomic<int> unfinished;
    std::exception_ptr failure;
};

class Pool {
public:
    const pid_t owner = getpid();

    void run(int parts, const std::function<void(int)>& work) {
        Job job{&work, 0, parts, {parts}, nullptr};
        std::unique_lock<std::mutex> lock(mutex_);
        grow(parts - 1);
        jobs_.push_back(&job);
        ++waiting_;
        wake_.notify_all();
        while (job.next < job.parts) take(job, lock);
        lock.unlock();
        look_out([&job] { return job.unfinished == 0; });
        lock.lock();
        done_.wait(lock, [&job] { return job.unfinished == 0; });
        if (job.failure) std::rethrow_exception(job.failure);
    }

private:
    void grow(int workers) {
        for (; workers_ < workers; ++workers_) std::thread([this] { serve(); }).detach();
    }

    // Do one part of the job; the lock is held on entry and on return.
    void take(Job& job, std::unique_lock<std::mutex>& lock) {
        const int part = job.next++;
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
        if (--job.unfinished == 0) done_.notify_all();
    }

    void remove(const Job* job) {
        for (std::size_t n = 0; n < jobs_.size(); ++n)
            if (jobs_[n] == job) {
                jobs_.erase(jobs_.begin() + static_cast<std::ptrdiff_t>(n));
                --waiting_;
                return;
            }
    }

    void serve() {
        std::unique_lock<std::mutex> lock(mutex_);
        for (;;) {
            lock.unlock();
            look_out([this] { return waiting_ > 0; });
            lock.lock();
            wake_.wait(lock, [this] { return !jobs_.empty(); });
            take(*jobs_.front(), lock);
        }
    }

    std::mutex mutex_;
    std::condition_variable wake_, done_;
    std::vector<Job*> jobs_;
    std::atomic<int> waiting_{0};  // size of jobs_
    int workers_ = 0;
};

// The workers of a parent process do not exist in its children, and its mutex may be locked for ever there, so
// each process has a pool of its own. Pools are never destroyed: their workers may still wait when the process ends.
Pool& pool() {
    static std::atomic<Pool*> instance{nullptr};
    Pool* known = instance.load();
    if (known != nullptr && known->owner == getpid()) return *known;
    Pool* fresh = new Pool;
    if (instance.compare_exchange_strong(known, fresh)) return *fresh;
    delete fresh;
    return *instance.load();
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
