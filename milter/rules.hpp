#pragma once

#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "common/config/settings.hpp"
#include "common/policy/settings.hpp"

namespace millrace::milter {

/// What messages are judged by: an immutable snapshot of the settings that a session needs.
struct Rules {
    /// Without the size limits of the relay's own door: what the MTA took is judged (Postfix cuts a
    /// field at 60,000 bytes, Sendmail refuses a block over 32 KiB).
    policy::Settings gate;
    std::vector<Network4or6> trusted;
    std::vector<std::string> only_from, only_to;  ///< domains, or `.parents`; empty: all
    std::string handover_secret;  ///< empty: nothing is handed over to the relay
    std::vector<std::string> handover_mailers;

    /// Whether mail of this client is ours to judge. `192.0.2.1`, `2001:db8::1`, or Sendmail's
    /// `IPv6:2001:db8::1`; what is no address is nobody's.
    bool trusts(std::string_view client) const;
    /// Whether mail from this envelope sender to these domains is the gate's (`only_from`,
    /// `only_to`).
    bool covers(std::string_view sender, const std::map<std::string, unsigned>& to) const;
    /// Whether mail that leaves through this transport or mailer goes to our relay.
    bool leads_to_relay(std::string_view mailer) const;
};

using PinnedRules = std::shared_ptr<const Rules>;

/// More header bytes than this are never kept of one message.
constexpr std::size_t block_max = std::size_t{4} << 20;

PinnedRules make_rules(const config::Settings& settings);

}  // namespace millrace::milter
