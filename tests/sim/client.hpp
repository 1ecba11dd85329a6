#pragma once

#include <functional>

#include "common/net/clock.hpp"
#include "common/net/network.hpp"
#include "tests/sim/ledger.hpp"

namespace millrace::sim {

/// An application that sends one message to the relay and writes down what it was told. It tries
/// to connect until it can; what was answered with 4xx or 5xx, or not at all, it leaves at that.
/// answered: called at the moment in which the client has read the reply to the dot.
Task<void> send_message(
    Clock& clock, Network& network, Endpoint relay, Sent& message, std::function<void()> answered);

}  // namespace millrace::sim
