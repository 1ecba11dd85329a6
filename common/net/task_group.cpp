#include "common/net/task_group.hpp"

#include <exception>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include "common/base/check.hpp"

namespace millrace {
namespace {

/// Empty when the exception is the cancellation itself.
std::string complaint(const std::exception_ptr& thrown) {
    try {
        std::rethrow_exception(thrown);
    } catch (const boost::system::system_error& e) {
        return e.code() == asio::error::operation_aborted ? std::string() : std::string(e.what());
    } catch (const std::exception& e) {
        return e.what();
    } catch (...) {
        return "an unknown exception";
    }
}

}  // namespace

TaskGroup::TaskGroup(asio::any_io_executor executor, Log& log, std::string name)
    : executor_(executor), log_(log), name_(std::move(name)), changed_(executor) {}

TaskGroup::~TaskGroup() {
    MILLRACE_CHECK(running_.empty());
}

void TaskGroup::spawn(Task<void> work) {
    if (stopping_) {
        return;
    }
    auto const at = running_.emplace(running_.end());
    auto done = [this, at](std::exception_ptr thrown) {
        if (thrown) {
            if (auto const what = complaint(thrown); !what.empty()) {
                log_.error("task.failed", {{"group", name_}, {"what", what}});
            }
        }
        running_.erase(at);
        if (running_.empty()) {
            changed_.notify();
        }
    };
    asio::co_spawn(
        executor_, std::move(work), asio::bind_cancellation_slot(at->slot(), std::move(done)));
}

void TaskGroup::stop() {
    stopping_ = true;
    // Emitting may end a conversation, but never in this call: completions are posted.
    for (auto& signal : running_) {
        signal.emit(asio::cancellation_type::terminal);
    }
}

Task<void> TaskGroup::drained() {
    while (!running_.empty()) {
        co_await changed_.wait();
    }
}

}  // namespace millrace
