#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/system/error_code.hpp>

#include "common/net/clock.hpp"
#include "common/virtual/simulation.hpp"

namespace millrace::virtual_ {

/// One virtual computer: its loop, its clock, and everybody who waits on it. It can crash at any
/// moment, in the middle of whatever its coroutines did.
class Machine final : public Clock {
  public:
    /// A place to wait; woken once.
    using Ticket = std::uint64_t;

    Machine(Simulation& simulation, std::string name);
    ~Machine() override;

    asio::any_io_executor executor() { return ready_.get_executor(); }
    Simulation& simulation() const { return simulation_; }
    const std::string& name() const { return name_; }

    Time now() const override { return simulation_.now(); }
    /// now(), moved by every step_wall().
    Time wall() const override { return simulation_.now() + wall_offset_; }
    Task<void> sleep_until(Time t) override;
    /// NTP, an operator or a dead battery moves the wall clock.
    void step_wall(Duration by) { wall_offset_ += by; }

    /// Waits until wake(ticket). Made for the virtual seams: take the ticket, keep it where the one
    /// who wakes finds it, then wait.
    Ticket ticket() { return next_ticket_++; }
    enum class Cancellable { no, yes };
    /// Returns what wake() said; operation_aborted when cancelled.
    Task<boost::system::error_code> wait(Ticket ticket, Cancellable cancellable = Cancellable::no);
    void wake(Ticket ticket, boost::system::error_code why = {});

    /// kill -9: from now on nothing runs here and nobody is woken. Nothing is destroyed either, as
    /// no destructor runs then; whoever owns objects that coroutines here refer to leaves them be.
    void crash() { alive_ = false; }
    bool alive() const { return alive_; }

    /// Runs what can run; false if that was nothing.
    bool poll();
    /// Destroys every coroutine, without running any of them. What they refer to must still exist.
    void drop_all();

  private:
    /// shutdown() destroys the handlers in the queue; io_context offers that only to its children.
    struct Loop : asio::io_context {
        Loop() : asio::io_context(1) {}
        void drop_handlers() { shutdown(); }
    };
    using Wake = std::move_only_function<void(boost::system::error_code)>;

    Simulation& simulation_;
    std::string name_;
    Loop ready_;  ///< a queue of runnable handlers; no socket ever enters it
    bool alive_ = true;
    Duration wall_offset_{};
    Ticket next_ticket_ = 1;
    std::map<Ticket, Wake> waiting_;
};

}  // namespace millrace::virtual_
