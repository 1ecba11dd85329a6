#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/time.hpp"
#include "common/net/endpoint.hpp"
#include "common/net/task.hpp"

namespace millrace {

enum class DnsStatus {
    found,      ///< at least one record
    no_data,    ///< the name exists, without records of this type
    no_name,    ///< NXDOMAIN
    temporary,  ///< SERVFAIL, REFUSED, time-out, bogus, garbage: nobody knows; never a reason to
                ///< bounce
};

/// The answer to one question. CNAMEs have been followed.
template <class Record>
struct DnsAnswer {
    DnsStatus status = DnsStatus::temporary;
    std::vector<Record> records;  ///< empty unless found
    Duration ttl{};               ///< how long it may be kept (of the negative answer too)
    bool secure = false;          ///< validated by DNSSEC
    std::string detail;           ///< for temporary: what happened, for the operator
};

struct MxRecord {
    std::uint16_t preference = 0;
    std::string
        host;  ///< lower-case A-label form without trailing dot; empty for the null MX (RFC 7505)
    auto operator<=>(const MxRecord&) const = default;
};

/// Asks the DNS. Every call ends within its own time limit (30 s in all) with an answer.
/// Names are given in A-label form. Thread: the loop's.
class Resolver {
  public:
    virtual ~Resolver() = default;
    virtual Task<DnsAnswer<MxRecord>> mx(std::string domain) = 0;
    /// A and AAAA together. temporary only if both are, or one is and the other is empty.
    virtual Task<DnsAnswer<Address>> addresses(std::string host) = 0;
    virtual Task<DnsAnswer<std::string>> txt(std::string name) = 0;
    /// The names that an address maps back to (PTR), as MxRecord::host has them.
    virtual Task<DnsAnswer<std::string>> names(Address address) = 0;
};

}  // namespace millrace
