#include "common/virtual/work_pool.hpp"

namespace millrace::virtual_ {

Task<void> VirtualWorkPool::run(std::function<void()> job) {
    job();
    job = nullptr;
    const auto most = static_cast<std::uint64_t>(longest_.count());
    const Machine::Ticket ticket = machine_.ticket();
    // Even without a delay the caller is resumed from the loop and never from within its own call.
    machine_.simulation().at(machine_.now() + Duration(random_.below(most + 1)),
                             [&machine = machine_, ticket] { machine.wake(ticket); });
    co_await machine_.wait(ticket);
}

}  // namespace millrace::virtual_
