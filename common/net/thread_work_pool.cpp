#include "common/net/thread_work_pool.hpp"

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace millrace {

ThreadWorkPool::ThreadWorkPool(unsigned threads) : threads_(threads) {}

ThreadWorkPool::~ThreadWorkPool() {
    threads_.join();
}

Task<void> ThreadWorkPool::run(std::function<void()> job) {
    auto start = [this, job = std::move(job)](auto handler) mutable {
        // The guard keeps the caller's loop running while the only thing it waits for is this job.
        auto home = asio::make_work_guard(asio::get_associated_executor(handler));
        asio::post(
            threads_,
            [job = std::move(job), home = std::move(home), handler = std::move(handler)]() mutable {
                job();
                job = nullptr;  // what the job held is released before the caller goes on
                asio::post(home.get_executor(), std::move(handler));
            });
    };
    co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(std::move(start),
                                                                         asio::use_awaitable);
}

}  // namespace millrace
