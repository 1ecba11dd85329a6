#pragma once

#include <deque>
#include <list>
#include <memory>
#include <string>
#include <unordered_set>

#include "relay/schedule/source_pools.hpp"
#include "relay/spool/stream.hpp"

namespace millrace::relay {

struct Lane;
struct ShareState;
struct StreamQueue;

/// Envelope and bytes kept in memory between the 250 and the first attempt; pays its bytes back to
/// the budget when the last work lets go of it.
struct Hot {
    Hot(Envelope e, Body b, std::shared_ptr<std::size_t> used)
        : envelope(std::move(e)), body(std::move(b)), budget_used(std::move(used)) {
        *budget_used += body->size();
    }
    Hot(const Hot&) = delete;
    Hot& operator=(const Hot&) = delete;
    ~Hot() { *budget_used -= body->size(); }

    Envelope envelope;
    Body body;
    std::shared_ptr<std::size_t> budget_used;
};

struct WorkKeyHash {
    std::size_t operator()(const WorkKey& key) const noexcept {
        return std::hash<std::uint64_t>{}(key.message.value * 1'000'003U + key.index);
    }
};

struct ReadyWork {
    Work work;
    std::shared_ptr<const Hot> hot;  ///< empty: read from the spool
};

/// A recipient domain, and where its mail goes.
struct Destination {
    explicit Destination(std::string n) : name(std::move(n)) {}

    std::string name;
    std::string site, provider;  ///< where the route leads; empty before the first answer
    Families there;              ///< how the site is reached
    bool direct = true;          ///< see Lane::direct
    Time route_until{};          ///< ask the router again after this
    bool routing = false;        ///< an answer is on its way
    std::list<StreamQueue*> streams;
};

/// The works of one stream: a window of them in memory, the rest on disk in order of due time.
struct StreamQueue {
    StreamQueue(std::string n, Destination& d)
        : name(std::move(n)), key(parse_stream(name)), destination(d) {}

    std::string name;
    StreamKey key;
    Destination& destination;
    std::list<StreamQueue*>::iterator sibling;
    Lane* lane = nullptr;  ///< none before its destination is routed

    std::deque<ReadyWork> ready;
    ShareState* counted_for = nullptr;  ///< whose part of the memory it uses …
    std::size_t counted = 0;            ///< … and with how many works
    bool in_turns = false;
    std::list<StreamQueue*>::iterator turn;
    std::size_t in_flight = 0;

    /// Earliest due time of work that is known to be on disk and not in memory. `never`: none
    /// known.
    Time disk_due = never;
    bool refilling = false;
    DueCursor cursor;    ///< how far the present pass over the disk has come; {} at its start
    bool dirty = false;  ///< work appeared behind the cursor: make another pass
    std::unordered_set<WorkKey, WorkKeyHash>
        settled_meanwhile;  ///< during a refill: its answer may be older
    Time agenda = never;
    bool waits_for_room = false;

    /// Works of it stand on disk and are not taken in because of an operator's order: why, and
    /// until when. Empty: none.
    std::string order_note;
    Time order_until = never;

    bool bulk() const { return key.klass == Class::bulk; }
    /// Who is to have a fair part: the account, and among mail of nobody in particular the sender's
    /// domain.
    std::string party() const {
        return key.account == "local" || key.account.empty() ? "@" + key.sender_domain
                                                             : key.account;
    }
};

}  // namespace millrace::relay
