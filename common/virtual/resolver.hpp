#pragma once

#include <map>
#include <vector>

#include "common/net/random.hpp"
#include "common/net/resolver.hpp"
#include "common/virtual/machine.hpp"

namespace millrace::virtual_ {

/// The DNS of a simulation: what the authoritative servers would say, and how they misbehave.
struct VirtualZones {
    struct Name {
        std::vector<MxRecord> mx;
        std::vector<Address> addresses;
        std::vector<std::string> txt;
        std::vector<std::string> ptr;
        std::string alias;  ///< a CNAME
        Duration ttl = std::chrono::hours(1);
        bool secure = false;
        bool fails = false;  ///< SERVFAIL for everything
    };
    std::map<std::string, Name> names;  ///< lower case; any other name does not exist
    Duration negative_ttl = std::chrono::minutes(5);
    Duration delay_least = std::chrono::milliseconds(1);
    Duration delay_most = std::chrono::milliseconds(80);
    double servfail = 0;  ///< chance that a question ends in SERVFAIL
    double lost = 0;      ///< chance that a question is never answered

    /// `example.net` with one MX host of preference 10 at this address.
    void add_mail_domain(const std::string& domain,
                         const std::string& host,
                         const Address& address);
    /// `domain. MX 0 .`: no mail here (RFC 7505).
    void add_null_mx(const std::string& domain);
    /// `address` maps back to `name`.
    void add_reverse(const Address& address, const std::string& name);
};

/// Asks VirtualZones, remembers answers as long as they say, and gives up after 30 seconds.
/// Thread: the machine's.
class VirtualResolver final : public Resolver {
  public:
    VirtualResolver(Machine& machine, Random& random, VirtualZones& zones)
        : machine_(machine), random_(random), zones_(zones) {}

    Task<DnsAnswer<MxRecord>> mx(std::string domain) override;
    Task<DnsAnswer<Address>> addresses(std::string host) override;
    Task<DnsAnswer<std::string>> txt(std::string name) override;
    Task<DnsAnswer<std::string>> names(Address address) override;

  private:
    template <class Record>
    struct Cached {
        Time until{};
        DnsAnswer<Record> answer;
    };
    template <class Record>
    using Cache = std::map<std::string, Cached<Record>>;

    template <class Record>
    Task<DnsAnswer<Record>> ask(std::string name,
                                std::vector<Record> VirtualZones::Name::* type,
                                Cache<Record>& cache);
    template <class Record>
    DnsAnswer<Record> look_up(std::string name,
                              std::vector<Record> VirtualZones::Name::* type) const;

    Machine& machine_;
    Random& random_;
    VirtualZones& zones_;
    Cache<MxRecord> mx_;
    Cache<Address> addresses_;
    Cache<std::string> txt_;
    Cache<std::string> ptr_;
};

}  // namespace millrace::virtual_
