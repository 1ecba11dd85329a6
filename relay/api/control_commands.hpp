#pragma once

#include <functional>
#include <string>

#include "common/base/log.hpp"
#include "common/net/clock.hpp"
#include "relay/api/control.hpp"
#include "relay/api/control_request.hpp"

namespace millrace::relay {

/// Where the lines of an answer go. False: nobody reads any more.
class ControlSink {
  public:
    virtual ~ControlSink() = default;
    virtual Task<bool> send(std::string line) = 0;
};

/// Messages that one `show` tells of, at most.
constexpr std::size_t messages_shown = 20;

/// What is asked of the spool at a time.
constexpr unsigned page = 500;
/// An answer that goes on for as long as it is read says so often that its reader is there.
constexpr Duration heartbeat = std::chrono::seconds(15);

/// Carries out the requests of one client. Every answer is any number of `item` and `progress`
/// lines and then one `end` or `error` line. Thread: the loop's.
class ControlCommands {
  public:
    /// by: who asks, as `uid 1000`.
    ControlCommands(Operations& operations, Clock& clock, Log& log, std::string by)
        : operations_(operations), clock_(clock), log_(log), by_(std::move(by)) {}

    /// False: the client is gone.
    Task<bool> answer(std::string line, ControlSink& sink);

  private:
    Task<bool> run(ControlRequest request, ControlSink& sink);
    Task<bool> status(ControlSink& sink);
    Task<bool> destinations(ControlSink& sink);
    Task<bool> providers(ControlSink& sink);
    Task<bool> standing(ControlRequest request, ControlSink& sink);
    Task<bool> queue(ControlRequest request, ControlSink& sink);
    Task<bool> count(ControlRequest request, ControlSink& sink);
    Task<bool> show(ControlRequest request, ControlSink& sink);
    Task<bool> why(ControlRequest request, ControlSink& sink);
    Task<bool> fetch(ControlRequest request, ControlSink& sink);
    Task<bool> change(ControlRequest request, ControlSink& sink);
    Task<bool> events(ControlRequest request, ControlSink& sink);
    Task<bool> reload(ControlSink& sink);
    Task<bool> warm(ControlRequest request, ControlSink& sink);
    /// pause, drain.
    Task<bool> order(ControlRequest request, ControlSink& sink);
    Task<bool> resume(ControlRequest request, ControlSink& sink);
    Task<bool> orders(ControlSink& sink);
    /// split, join.
    Task<bool> split(ControlRequest request, ControlSink& sink);
    Task<bool> trace(ControlRequest request, ControlSink& sink);

    /// The filter that a name or a target stands for, narrowed by the request's own.
    Task<Result<WorkFilter>> resolve(ControlRequest request);
    Task<Result<WorkFilter>> resolve_target(std::string word, WorkFilter narrowed);
    /// Every message that a name means: those that wait by arrival, then finished ones, newest
    /// first. Failure: not_found when there is none.
    Task<Result<std::vector<MessageId>>> find_messages(ControlRequest request);
    /// Looks through the journal from its end, and adds to `ids` up to messages_shown of them.
    Task<Result<void>> find_finished(std::string name, std::vector<MessageId>& ids);
    /// Smallest event id whose event is not older than t; behind the last one when there is none.
    Task<Result<std::uint64_t>> first_event_since(Time t);
    Task<Result<std::uint64_t>> last_event();
    Task<Result<std::uint64_t>> events_start(ControlRequest request);

    Operations& operations_;
    Clock& clock_;
    Log& log_;
    std::string by_;
};

}  // namespace millrace::relay
