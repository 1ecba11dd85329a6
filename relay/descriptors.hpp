#pragma once

#include <cstdint>
#include <string>

namespace millrace::relay {

/// What the open files that the system allows are used for.
struct DescriptorBudget {
    unsigned sessions = 0;    ///< of clients
    unsigned deliveries = 0;  ///< connections to receiving servers
    std::string warning;      ///< when that is less than was wanted: what to do; else empty
};

/// Descriptors kept for the spool's files, logs, name servers, operators, and clients that are being
/// turned away: a spool that cannot open a file is broken, so connections never take the last ones.
constexpr std::uint64_t descriptors_kept = 512;

/// Shares out `limit` descriptors; a session counts twice, because as many clients may wait for one.
/// Where they are too few for both wishes, in proportion, but at least one each. Pure.
DescriptorBudget share_descriptors(std::uint64_t limit, unsigned sessions, unsigned deliveries);

}  // namespace millrace::relay
