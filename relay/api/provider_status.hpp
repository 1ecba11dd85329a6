#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/time.hpp"

namespace millrace::relay {

/// One destination with work, as people are shown it.
struct DestinationStatus {
    enum class State {
        idle,     ///< nothing is due
        sending,  ///< connections are open, or about to be
        waiting,  ///< everything is put off to a later attempt, or a limit says wait
        paused,   ///< a typed reply of the receiver closed the lane until `until`
        held,     ///< an operator holds all of it
    };
    std::string destination;
    std::string site;  ///< normalised set of MX hosts, empty while unknown
    State state = State::idle;
    std::uint64_t queued = 0;  ///< without held ones
    std::uint64_t held = 0;
    unsigned connections = 0;  ///< open ones of the site
    Time oldest = never;
    Time next_due = never;
    Time until = never;      ///< when a pause ends; never for none
    std::string why;         ///< one sentence: why nothing is sent now; empty while sending or idle
    std::string last_reply;  ///< the site's to the last message, or its last refusal; before there
                             ///< is one: what the queue remembers of an attempt
    std::string last_host;   ///< who said so
    Time last_reply_at{};    ///< zero: not known
    std::string
        last_refused;        ///< the last lines of the last conversation that was refused or broke
    Time last_refused_at{};  ///< zero: there was none since the start
};

/// What limits one kind of traffic to a provider, and how that is known.
struct Allowance {
    std::string what;  ///< `connections`, `rate`, `connection rate`, `per connection`, `hold`
    std::string text;  ///< `5 connections: a 6th was refused 3 hours ago`
    std::string from;  ///< `learned`, `setting` (the operator's, or a rule's)
    Time since{};      ///< learned then; zero: a setting
    std::string said;  ///< from this reply
};

/// One of our sources towards one provider, as people are shown it.
struct ProviderStatus {
    std::string source;    ///< our address; empty: whichever the machine takes
    std::string provider;  ///< its name; empty: where the mail goes is not known yet
    std::string state;     ///< blocked, resting, waiting, paused, sending, held, idle
    std::string cause;     ///< one sentence; empty while sending or idle
    Time until = never;    ///< the end of a block or rest
    std::vector<Allowance> allowances;
    unsigned connections = 0;
    unsigned connections_allowed = 0;
    double rate = 0;  ///< messages a second that it took in the last minute
    std::uint64_t queued = 0, held = 0;
    Time oldest = never;
    double unknown_users = 0;  ///< share of the recipients of late that it does not know
    std::string last_reply;    ///< last reply that was not a success
    std::string last_host;     ///< who said so
    std::vector<std::string> sites;
    std::vector<std::string> evidence;            ///< why these sites count as one
    std::vector<DestinationStatus> destinations;  ///< those with mail
};

}  // namespace millrace::relay
