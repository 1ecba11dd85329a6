#pragma once

#include <list>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/log.hpp"
#include "common/config/settings.hpp"
#include "common/net/clock.hpp"
#include "common/net/resolver.hpp"
#include "common/net/task_group.hpp"
#include "relay/deliver/mx.hpp"
#include "relay/deliver/route_rules.hpp"

namespace millrace::relay {

/// Finds where the mail of a destination goes: configured routes first, then the DNS. Answers are
/// kept as long as the DNS allows, within a minute and an hour; concurrent questions for one
/// destination share one look-up.
/// Thread: the loop's.
class Router {
  public:
    /// own: address and port of every own listener (an unspecified address counts for each loopback
    /// one: expand it to the machine's addresses where they are known).
    Router(asio::any_io_executor executor,
           Resolver& resolver,
           Clock& clock,
           Log& log,
           config::Snapshot settings,
           std::vector<Endpoint> own);
    ~Router();
    Router(const Router&) = delete;
    Router& operator=(const Router&) = delete;

    /// Always answers, within the resolver's time limit. destination: a domain in lower-case
    /// A-label form, or an address literal in brackets.
    /// Cancelled: throws system_error(operation_aborted); the look-up goes on for the others.
    Task<Routing> route(std::string destination);

    /// New settings; forgets every answer. Password files of routes are read here.
    void configure(config::Snapshot settings, std::vector<Endpoint> own);
    /// What is kept for that destination, or for all, is asked anew.
    void forget(const std::string& destination);
    void forget();

    /// Drops look-ups under way and returns when none is left.
    Task<void> stop();

    std::size_t kept() const { return kept_.size(); }

  private:
    struct Kept {
        Routing routing;
        Time until{};
        std::list<std::string>::iterator age;
    };
    struct Question;   ///< asked now, and who waits
    struct Gathering;  ///< address look-ups that run side by side
    using Rules = std::shared_ptr<const RouteRules>;
    /// An answer and how long the DNS lets us keep it.
    struct Answer {
        Routing routing;
        Duration ttl{};
    };

    Task<void> answer(std::string destination, std::shared_ptr<Question> question);
    Task<Answer> look_up(std::string destination, Rules rules);
    Task<Answer> by_mx(std::string destination, Rules rules, const RouteRule* rule);
    Task<Answer> by_host(Rules rules, const RouteRule& rule);
    Task<std::vector<std::vector<Lookup>>> addresses(std::vector<std::vector<std::string>> names,
                                                     Duration& ttl);
    Task<void> one_address(std::string name, std::shared_ptr<Gathering> all, std::size_t index);
    void keep(const std::string& destination, const Routing& routing, Time until);

    asio::any_io_executor executor_;
    Resolver& resolver_;
    Clock& clock_;
    Rules rules_;
    std::unordered_map<std::string, Kept> kept_;
    std::list<std::string> by_age_;  ///< the oldest first
    std::unordered_map<std::string, std::shared_ptr<Question>> asked_;
    TaskGroup lookups_;
};

}  // namespace millrace::relay
