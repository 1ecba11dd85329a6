#pragma once

#include <expected>
#include <string>
#include <utility>

namespace millrace {

/// Why an operation failed. An outcome of mail (a 451, a full mailbox) is never a Failure.
enum class Fault {
    invalid,      ///< the input is not what the grammar or the caller's contract asks for
    timed_out,    ///< the deadline passed
    cancelled,    ///< the owner stopped the work; nothing more will happen
    closed,       ///< the peer closed in an orderly way
    reset,        ///< the connection broke
    refused,      ///< nobody listens there, or the route does not exist
    tls,          ///< the handshake or a record failed
    not_found,    ///< there is no such thing (any more)
    full,         ///< out of room: shed load, answer 452
    broken,       ///< storage cannot be trusted any more: stop accepting and exit
    corrupt,      ///< stored bytes do not match their checksum or version
    unavailable,  ///< temporarily not possible: answer 451 and try again
};

/// A fault with one sentence for the operator: what happened, to what, and the next step.
struct Failure {
    Fault fault;
    std::string detail;
};

template <class T>
using Result = std::expected<T, Failure>;

/// `return failure(Fault::full, "…");` from any function that returns a Result.
inline std::unexpected<Failure> failure(Fault fault, std::string detail) {
    return std::unexpected(Failure{fault, std::move(detail)});
}

}  // namespace millrace
