#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "relay/schedule/quota.hpp"
#include "relay/schedule/share.hpp"
#include "relay/schedule/turns.hpp"
#include "relay/schedule/warm_up.hpp"

namespace millrace::relay {

struct ShareState;

/// One source × one site: its connections, and the turns of the streams behind it. What it may do
/// is decided by its share; here stands only what is the site's own: whether it can be reached at
/// all, and the operator's limits per site. A value of the scheduler thread; no I/O.
struct Lane {
    Lane(std::string n, std::string s, ShareState& sh, const Ceilings& per_site, Time now)
        : name(std::move(n)),
          site(std::move(s)),
          share(&sh),
          connection_rate(per_site.connections_per_second, now),
          message_rate(per_site.messages_per_second, now) {}

    std::string name;
    std::string site;
    ShareState* share;
    TokenBucket connection_rate;
    TokenBucket message_rate;
    /// By MX, or to an address: a server of the world. A host that a route names is the operator's
    /// own affair: nothing is warmed up towards it.
    bool direct = true;

    unsigned opening = 0;
    unsigned standing = 0;  ///< busy or idle
    unsigned idle = 0;      ///< open, waiting for work
    unsigned failures = 0;  ///< connections in a row that never got to a message
    unsigned leaving = 0;   ///< of the standing ones: told to end, for others' sake
    /// The class for whose sake it would connect if its share had a connection left.
    std::optional<unsigned> starved;
    Time turn_began{};       ///< when it last got a connection while it had none
    unsigned turn_sent = 0;  ///< messages begun since then

    Time paused_until{};       ///< no message starts before; zero: not paused
    Time connect_after{};      ///< no new connection before; open ones may go on
    std::string pause_reason;  ///< of whichever of the two is in force

    Time passed_at{};    ///< the last message that went through here
    Time shut_at{};      ///< the last refusal here that spoke of our address
    unsigned apart = 0;  ///< of those: in a row, with messages through at other sites in between

    std::array<Turns, 2> turns;          ///< by class
    std::array<std::size_t, 2> ready{};  ///< works waiting in memory, in turns
    unsigned transactional_streak = 0;   ///< picks since bulk last had its turn
    std::size_t queues = 0;              ///< streams routed here
    std::array<bool, 2> in_ring{};       ///< of its share, by class
    /// Its place there: kept while it is out for a moment – a route that is looked up again, a read
    /// of the disk –, else a round that takes longer than a route holds never comes to its end.
    std::uint64_t ticket = 0;

    unsigned connections() const { return opening + standing; }
    std::size_t waiting() const { return ready[0] + ready[1]; }
};

/// A share, the lanes that use it, and their turns.
struct ShareState {
    ShareState(std::string n, std::string source, std::string provider, const Ceilings& c, Time now)
        : name(std::move(n)), share(std::move(source), std::move(provider), c, now) {}

    std::string name;
    Share share;
    std::set<Lane*> lanes;
    std::array<std::size_t, 2> ready{};  ///< works waiting in memory, of all lanes, by class
    /// Lanes with ready work by their tickets, by class; who has waited longest for its turn comes
    /// first.
    std::array<std::map<std::uint64_t, Lane*>, 2> ring;
    std::uint64_t tickets = 0;          ///< that were given out
    unsigned transactional_streak = 0;  ///< connections granted since bulk last had one
    std::array<unsigned, 2> starved{};  ///< lanes without a connection that wait for one, by class
    unsigned leaving = 0;               ///< connections that end to make room for them
    unsigned idle = 0;                  ///< of all lanes
    std::set<std::string>
        crowded;  ///< streams that wait for the end of a message of their sender's
    /// Of the source ("") and of senders' domains that are new from there.
    std::map<std::string, WarmUp> warm_ups;
    Quota quota;                      ///< of the ceilings
    std::set<std::string> uncovered;  ///< streams that wait for a promise to become durable
    Time agenda = never;
    bool noted = false;    ///< there is a note of it in the spool
    bool pressed = false;  ///< there was work all the time …
    Time quiet_since{};    ///< … but for the moment since then; zero: there is work
};

}  // namespace millrace::relay
