#pragma once

#include <chrono>

#include "common/base/time.hpp"

/// How long a receiving server may take, per command (RFC 5321 §4.5.3.2). Constants: the RFC gives
/// them as the least a client should allow, and more helps nobody.
namespace millrace::relay::timeouts {

constexpr Duration greeting = std::chrono::minutes(5);
constexpr Duration hello = std::chrono::minutes(5);
constexpr Duration starttls = std::chrono::minutes(2);
constexpr Duration handshake = std::chrono::minutes(1);
constexpr Duration auth = std::chrono::minutes(2);
constexpr Duration mail = std::chrono::minutes(5);
constexpr Duration rcpt = std::chrono::minutes(5);
constexpr Duration data = std::chrono::minutes(2);
constexpr Duration block = std::chrono::minutes(3);
constexpr Duration dot = std::chrono::minutes(10);
constexpr Duration reset = std::chrono::minutes(1);
/// The message is settled; nobody waits for a farewell.
constexpr Duration quit = std::chrono::seconds(5);

}  // namespace millrace::relay::timeouts
