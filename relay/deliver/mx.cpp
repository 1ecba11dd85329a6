#include "relay/deliver/mx.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "common/base/check.hpp"

namespace millrace::relay {

namespace {

Address without_mapping(const Address& address) {
    if (address.is_v6() && address.to_v6().is_v4_mapped()) {
        return boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, address.to_v6());
    }
    return address;
}

}  // namespace

MxSet arrange(std::span<const MxRecord> records) {
    MILLRACE_CHECK(!records.empty());
    std::vector<MxRecord> sorted(records.begin(), records.end());
    std::erase_if(sorted, [](const MxRecord& record) { return record.host.empty(); });
    if (sorted.empty()) return {.null = true, .site = {}, .groups = {}};
    std::ranges::sort(sorted);

    MxSet set;
    std::set<std::string> seen;
    std::uint16_t preference = 0;
    for (const auto& record : sorted) {
        if (seen.size() == mx_hosts_max) break;
        if (!seen.insert(record.host).second) continue;
        if (set.groups.empty() || record.preference != preference) set.groups.emplace_back();
        preference = record.preference;
        set.groups.back().push_back(record.host);
    }
    for (const auto& host : seen) {
        if (!set.site.empty()) set.site += ',';
        set.site += host;
    }
    return set;
}

bool is_ourselves(const Endpoint& endpoint, std::span<const Endpoint> own) {
    auto const address = without_mapping(endpoint.address);
    return std::ranges::any_of(own, [&](const Endpoint& ours) {
        if (ours.port != endpoint.port) return false;
        if (ours.address.is_unspecified()) return address.is_loopback() || address.is_unspecified();
        // Connecting to the unspecified address reaches this machine's loopback.
        if (address.is_unspecified()) return ours.address.is_loopback();
        return without_mapping(ours.address) == address;
    });
}

Admitted admit(std::span<const std::vector<Lookup>> groups, const Admission& admission) {
    std::vector<std::vector<Host>> admitted;
    bool ourselves = false;
    bool only_private = false;
    bool only_ipv6 = false;
    bool only_ipv4 = false;
    std::string trouble;  // the first look-up that failed for the moment

    for (const auto& group : groups) {
        ourselves = std::ranges::any_of(group, [&](const Lookup& lookup) {
            return std::ranges::any_of(lookup.addresses, [&](const Address& address) {
                return is_ourselves({address, admission.port}, admission.own);
            });
        });
        if (ourselves) break;

        std::vector<Host> hosts;
        for (const auto& lookup : group) {
            if (lookup.status == DnsStatus::temporary && trouble.empty()) {
                trouble = "looking up " + lookup.name + ": " +
                          (lookup.detail.empty() ? "no answer" : lookup.detail);
            }
            Host host{.name = lookup.name, .addresses = {}, .port = admission.port};
            for (const auto& address : lookup.addresses) {
                if (is_private(address) && !admission.private_addresses) {
                    only_private = true;
                } else if (!admission.reaches(address)) {
                    (address.is_v6() ? only_ipv6 : only_ipv4) = true;
                } else if (std::ranges::find(host.addresses, address) == host.addresses.end()) {
                    host.addresses.push_back(address);
                }
            }
            if (!host.addresses.empty()) hosts.push_back(std::move(host));
        }
        if (!hosts.empty()) admitted.push_back(std::move(hosts));
    }

    if (!admitted.empty()) return admitted;
    if (!trouble.empty()) return Unknown{.enhanced = "4.4.3", .reason = std::move(trouble)};
    if (ourselves) {
        return Undeliverable{.code = 554,
                             .enhanced = "5.4.6",
                             .reason = "Mail for this domain loops back to this relay"};
    }
    if (only_private) {
        return Undeliverable{.code = 550,
                             .enhanced = "5.4.4",
                             .reason = "The domain's mail servers have private addresses only"};
    }
    if (only_ipv6 || only_ipv4) {
        return Undeliverable{
            .code = 550,
            .enhanced = "5.4.4",
            .reason = std::string("The domain's mail servers can be reached by ") +
                      (only_ipv6 ? "IPv6" : "IPv4") + " only, which this relay does not use (" +
                      (admission.sources.none() ? "delivery.ipv6" : "relay.sources") + ")"};
    }
    return Undeliverable{
        .code = 550, .enhanced = "5.4.4", .reason = "The domain's mail servers have no address"};
}

}  // namespace millrace::relay
