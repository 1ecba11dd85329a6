#include "relay/shaping/rule_book.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "common/base/check.hpp"
#include "common/mail/domain.hpp"
#include "relay/shaping/rule_book_builder.hpp"
#include "relay/shaping/shipped_files.hpp"

namespace millrace::relay {

namespace {

std::string_view bare(std::string_view name) {
    return name.ends_with('.') ? name.substr(0, name.size() - 1) : name;
}

const std::string none;

}  // namespace

Ceilings ceilings_of(const config::Delivery& delivery) {
    Ceilings base;
    base.connections = delivery.connections_per_site;
    base.messages_per_connection = delivery.messages_per_connection;
    base.messages_per_second = delivery.messages_per_second;
    base.connections_per_second = delivery.connections_per_second;
    return base;
}

const config::ShapingRules& shipped_rules() {
    static const config::ShapingRules rules = [] {
        config::ShapingRules all;
        for (auto const& file : shipped_files()) {
            auto parsed = config::parse_shaping(std::string(file.text), std::string(file.name));
            MILLRACE_CHECK(parsed.has_value());
            std::ranges::move(parsed->providers, std::back_inserter(all.providers));
            std::ranges::move(parsed->replies, std::back_inserter(all.replies));
        }
        return all;
    }();
    return rules;
}

std::shared_ptr<const RuleBook> shipped_book() {
    static const auto book = [] {
        auto compiled = RuleBook::compile({}, {});
        MILLRACE_CHECK(compiled.has_value());
        return *compiled;
    }();
    return book;
}

Result<void> prove_rules(const config::Settings& settings) {
    auto const book =
        RuleBook::compile(settings.relay.shaping_rules, ceilings_of(settings.relay.delivery));
    if (!book) return std::unexpected(book.error());
    return {};
}

Result<std::shared_ptr<const RuleBook>> RuleBook::compile(const config::ShapingRules& own,
                                                          const Ceilings& base) {
    Builder builder(base);
    builder.add(own, Layer::own);
    builder.add(shipped_rules(), Layer::shipped);
    auto book = builder.finish();
    auto const found = builder.faults();
    if (!found.empty()) {
        return failure(Fault::invalid, fmt::format("{}", fmt::join(found, "\n")));
    }
    return book;
}

std::vector<std::string> RuleBook::faults(const config::ShapingRules& own,
                                          const config::ShapingRules& beneath) {
    Builder builder({});
    builder.add(own, Layer::own);
    builder.add(beneath, Layer::shipped);
    builder.finish();
    return builder.faults();
}

std::string RuleBook::provider_of(std::string_view destination,
                                  std::span<const std::string> hosts,
                                  std::span<const Address> addresses) const {
    auto const domain = mail::lower(bare(destination));
    if (auto const found = domains_.find(domain); found != domains_.end()) return found->second;
    for (auto dot = domain.find('.'); dot != domain.npos; dot = domain.find('.', dot + 1)) {
        auto const found = domains_.find(std::string_view(domain).substr(dot));
        if (found != domains_.end()) return found->second;
    }
    auto const of_host = [&](const std::string& host) -> const std::string& {
        auto const name = mail::lower(bare(host));
        for (std::size_t at = 0; at != name.npos;) {
            auto const found = suffixes_.find(std::string_view(name).substr(at));
            if (found != suffixes_.end()) return found->second;
            at = name.find('.', at);
            if (at != name.npos) ++at;
        }
        return none;
    };
    // One name elsewhere, and what is learned there would be learned for the wrong receiver.
    auto const agreed = [](auto const& range, auto const& of) {
        std::string provider;
        for (auto const& one : range) {
            auto const& name = of(one);
            if (name.empty() || (!provider.empty() && provider != name)) return std::string();
            provider = name;
        }
        return provider;
    };
    if (auto name = agreed(hosts, of_host); !name.empty()) return name;
    return agreed(addresses, [&](const Address& address) -> const std::string& {
        for (auto const& [network, name] : networks_) {
            if (network.contains(address)) return name;
        }
        return none;
    });
}

Ceilings RuleBook::ceilings(std::string_view provider) const {
    auto const found = providers_.find(provider);
    return found == providers_.end() ? base_ : found->second.ceilings;
}

const Pattern* RuleBook::find(const std::vector<Pattern>& patterns, const ReplyText& reply) const {
    auto const found =
        std::ranges::find_if(patterns, [&](const Pattern& p) { return p.matches(reply); });
    return found == patterns.end() ? nullptr : &*found;
}

const Pattern* RuleBook::pattern_for(std::string_view provider, const ReplyText& reply) const {
    if (auto const found = providers_.find(provider); found != providers_.end()) {
        if (auto const* const pattern = find(found->second.replies, reply)) return pattern;
    }
    return find(replies_, reply);
}

Typed RuleBook::type(std::string_view provider,
                     unsigned code,
                     std::string_view enhanced,
                     std::string_view text,
                     std::string_view sender_domain) const {
    if (code < 400 || code > 599) return {};
    auto const reply = read_reply(code, enhanced, text);
    auto const* const pattern = pattern_for(provider, reply);
    return pattern == nullptr ? Typed{} : pattern->meaning(reply, mail::lower(sender_domain));
}

std::vector<std::string> RuleBook::providers() const {
    std::vector<std::string> names;
    for (auto const& [name, provider] : providers_) {
        names.push_back(name);
    }
    return names;
}

}  // namespace millrace::relay
