#pragma once

#include <boost/asio/any_io_executor.hpp>

#include "common/net/resolver.hpp"

namespace millrace {

struct ResolverSettings {
    std::vector<Endpoint> servers;                 ///< ask these; empty: those of resolv_conf
    std::string resolv_conf = "/etc/resolv.conf";  ///< names nobody: ask the root and down
    bool dnssec = true;  ///< validate, when one of the anchors can be read
    /// The first that exists. Debian: dns-root-data, unbound.
    std::vector<std::string> trust_anchors = {"/usr/share/dns/root.key",
                                              "/var/lib/unbound/root.key"};
    unsigned in_flight_max = 500;  ///< further questions wait for their turn
    Duration limit = std::chrono::seconds(30);
};

/// Asks through libunbound: recursion, validation and cache are its own, in a thread of its own.
/// Changed settings need a new resolver; the old one answers what it was asked.
/// Thread: the loop's.
class UnboundResolver final : public Resolver {
  public:
    /// Failure: invalid, with the setting that libunbound did not take.
    static Result<std::unique_ptr<UnboundResolver>> make(asio::any_io_executor executor,
                                                         const ResolverSettings& settings);
    /// Questions that are still open are answered `temporary`.
    ~UnboundResolver() override;

    Task<DnsAnswer<MxRecord>> mx(std::string domain) override;
    Task<DnsAnswer<Address>> addresses(std::string host) override;
    Task<DnsAnswer<std::string>> txt(std::string name) override;
    Task<DnsAnswer<std::string>> names(Address address) override;

    /// Whether answers are validated: for `doctor` and the log.
    bool validates() const;

  private:
    class Core;
    explicit UnboundResolver(std::shared_ptr<Core> core);
    std::shared_ptr<Core> core_;
};

}  // namespace millrace
