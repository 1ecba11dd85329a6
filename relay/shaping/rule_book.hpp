#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/config/settings.hpp"
#include "common/config/shaping.hpp"
#include "common/net/endpoint.hpp"
#include "relay/shaping/ceilings.hpp"
#include "relay/shaping/pattern.hpp"

namespace millrace::relay {

/// What relay.delivery allows one source towards one receiver.
Ceilings ceilings_of(const config::Delivery& delivery);

/// The rules that are compiled into the program (contrib/shaping/*.conf).
const config::ShapingRules& shipped_rules();

/// The rules about receivers in force: the operator's own files, and beneath them the shipped ones.
/// Immutable: one book serves any number of conversations until a reload brings the next.
/// Thread: any.
class RuleBook {
  public:
    /// Failure (invalid): every fault of the own rules, one line each: FILE:LINE, why the rule can
    /// never apply or contradicts itself, what to do.
    static Result<std::shared_ptr<const RuleBook>> compile(const config::ShapingRules& own,
                                                           const Ceilings& base);
    /// The faults of some rules that lie above others: what compile() finds. None: empty. At most
    /// 50. The rules beneath are taken to be sound.
    static std::vector<std::string> faults(const config::ShapingRules& own,
                                           const config::ShapingRules& beneath);

    /// The declared provider that a destination belongs to, or empty: by its domain, else by all of
    /// its MX host names, else by all of its addresses. Names in any case, with or without a
    /// trailing dot; of several suffixes the longest counts. destination may be empty when only the
    /// servers are known.
    std::string provider_of(std::string_view destination,
                            std::span<const std::string> hosts,
                            std::span<const Address> addresses) const;

    /// What one source may do at most towards a provider (or, with an empty name, towards any other
    /// receiver). A shipped rule only lowers what relay.delivery says; the operator's own rule says
    /// what holds, in either direction.
    Ceilings ceilings(std::string_view provider) const;

    /// Types a refusal: the provider's patterns first, then everybody's; where none fits, Typed{}:
    /// this message waits its turn, and nothing is learned from it. text: without the code, its
    /// lines joined by a blank. sender_domain: of the envelope sender. Codes below 400 mean nothing
    /// here. Pure, total, linear.
    Typed type(std::string_view provider,
               unsigned code,
               std::string_view enhanced,
               std::string_view text,
               std::string_view sender_domain) const;

    /// The names of the declared providers, sorted.
    std::vector<std::string> providers() const;
    /// The pattern that a reply fires, or null: for proofs and for the operator's questions.
    const Pattern* pattern_for(std::string_view provider, const ReplyText& reply) const;

  private:
    /// Whose a rule is; in the order in which they are tried.
    enum class Layer : std::uint8_t { own, shipped };
    struct Provider {
        std::vector<Pattern> replies;  ///< the own first
        Ceilings ceilings;
    };
    using Names = std::map<std::string, std::string, std::less<>>;  ///< name -> provider

    class Builder;

    const Pattern* find(const std::vector<Pattern>& patterns, const ReplyText& reply) const;

    std::map<std::string, Provider, std::less<>> providers_;
    Names suffixes_, domains_;
    std::vector<std::pair<Network4or6, std::string>> networks_;
    std::vector<Pattern> replies_;
    Ceilings base_;
};

/// The book of a program that has no configuration.
std::shared_ptr<const RuleBook> shipped_book();

/// For `--check`, the start and a reload: whether the rules of these settings are in order.
Result<void> prove_rules(const config::Settings& settings);

}  // namespace millrace::relay
