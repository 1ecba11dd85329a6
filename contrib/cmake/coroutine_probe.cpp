// Counts constructions and destructions of temporaries inside co_await expressions. Exit status 0:
// sound.
#include <coroutine>
#include <cstdio>
#include <exception>
#include <functional>
#include <utility>

namespace {

int live = 0;

struct Counted {
    Counted() { ++live; }
    Counted(const Counted&) { ++live; }
    Counted(Counted&&) noexcept { ++live; }
    ~Counted() { --live; }
};

struct Job {
    struct promise_type {
        std::coroutine_handle<> waiter;
        Job get_return_object() {
            return Job{std::coroutine_handle<promise_type>::from_promise(*this)};
        }
        std::suspend_always initial_suspend() noexcept { return {}; }
        auto final_suspend() noexcept {
            struct Back {
                bool await_ready() noexcept { return false; }
                std::coroutine_handle<> await_suspend(
                    std::coroutine_handle<promise_type> h) noexcept {
                    return h.promise().waiter ? h.promise().waiter : std::noop_coroutine();
                }
                void await_resume() noexcept {}
            };
            return Back{};
        }
        void return_void() {}
        void unhandled_exception() { std::terminate(); }
    };
    explicit Job(std::coroutine_handle<promise_type> h) : handle(h) {}
    Job(Job&& other) noexcept : handle(std::exchange(other.handle, {})) {}
    ~Job() {
        if (handle) {
            handle.destroy();
        }
    }
    bool await_ready() { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> h) {
        handle.promise().waiter = h;
        return handle;
    }
    void await_resume() {}
    std::coroutine_handle<promise_type> handle;
};

struct Options {
    Counted counted;
    int number = 0;
};

Job take_aggregate(Options options) {
    (void)options.number;
    co_return;
}
Job take_function(std::function<int()> function) {
    (void)function;
    co_return;
}

Job braced_aggregate() {
    co_await take_aggregate({Counted{}, 3});
}
Job capturing_lambda() {
    Counted counted;
    co_await take_function([counted] { return 1; });
}

bool sound(Job job) {
    live = 0;
    job.handle.resume();
    return live == 0;
}

}  // namespace

int main() {
    bool const good = sound(braced_aggregate()) && sound(capturing_lambda());
    std::puts(good ? "sound" : "a temporary was destroyed twice");
    return good ? 0 : 1;
}
