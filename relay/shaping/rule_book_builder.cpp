#include "relay/shaping/rule_book_builder.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "common/config/nearest.hpp"
#include "common/mail/domain.hpp"

namespace millrace::relay {

namespace {

constexpr std::size_t faults_max = 50;
constexpr std::string_view everybody = "general";

bool is_name(std::string_view name) {
    constexpr std::string_view characters = "abcdefghijklmnopqrstuvwxyz0123456789.-_";
    return !name.empty() && name.size() <= 64 && name != everybody &&
           name.find_first_not_of(characters) == name.npos;
}

/// A name as DNS answers have it: no dot at either end, lower-case A-labels; empty when no host
/// can be called so.
std::string host_form(std::string_view text) {
    if (text.starts_with('.')) text.remove_prefix(1);
    auto const domain = mail::ascii_domain(text);
    return domain && mail::is_host_name(*domain) ? *domain : std::string();
}

bool is_address(std::string_view text) {
    boost::system::error_code error;
    boost::asio::ip::make_address(std::string(text), error);
    return !error;
}

template <class T>
void lower(T& limit, T rule) {
    if (limit == T{} || rule < limit) limit = rule;
}

}  // namespace

RuleBook::Builder::Builder(const Ceilings& base) : book_(std::make_shared<RuleBook>()) {
    book_->base_ = base;
}

void RuleBook::Builder::report(Layer layer, const config::Place& place, const std::string& detail) {
    if (layer == Layer::own && faults_.size() < faults_max) {
        faults_.push_back(place.text() + detail);
    }
}

void RuleBook::Builder::add(const config::ShapingRules& rules, Layer layer) {
    for (auto const& rule : rules.providers) {
        add_provider(rule, layer);
    }
    for (auto const& rule : rules.replies) {
        add_reply(rule, std::string(everybody), layer);
    }
}

void RuleBook::Builder::add_provider(const config::ProviderRule& rule, Layer layer) {
    if (!is_name(rule.name)) {
        report(layer,
               rule.place,
               fmt::format("name \"{}\": a provider needs a name of lower-case letters, digits, "
                           "dots and hyphens",
                           rule.name));
        return;
    }
    auto const added = book_->providers_.try_emplace(rule.name);
    if (added.second) added.first->second.ceilings = book_->base_;
    if (layer == Layer::own) own_providers_.emplace_back(rule.name, rule.place);
    add_suffixes(rule, layer);
    add_domains(rule, layer);
    add_networks(rule, layer);
    add_limits(rule, layer);
    for (auto const& reply : rule.replies) {
        add_reply(reply, rule.name, layer);
    }
}

void RuleBook::Builder::claim(Names& names,
                              std::map<std::string, Declared>& claims,
                              const std::string& name,
                              const std::string& shown,
                              const config::ProviderRule& rule,
                              Layer layer) {
    auto const [claimed, first] = claims.try_emplace(name, Declared{rule.match_place, layer});
    if (first) {
        names.emplace(name, rule.name);
    } else if (claimed->second.layer == layer) {
        report(layer,
               rule.match_place,
               fmt::format("match \"{}\" can never lead here: {}it already leads to \"{}\"; keep "
                           "one of the two",
                           shown,
                           claimed->second.place.text(),
                           names.find(name)->second));
    }
    led_to_.insert(rule.name);
}

void RuleBook::Builder::add_suffixes(const config::ProviderRule& rule, Layer layer) {
    for (auto const& text : rule.mx) {
        auto const name = host_form(text);
        if (name.empty() || is_address(text)) {
            report(layer,
                   rule.match_place,
                   fmt::format("match.mx \"{}\" can never match: {}",
                               text,
                               is_address(text)
                                   ? "it is an address; write it in match.addresses"
                                   : "no host has such a name; write the end of the name, such as "
                                     "\"mail.example.com\", without wildcards, ports or brackets"));
            continue;
        }
        if (name.find('.') == name.npos) {
            report(layer,
                   rule.match_place,
                   fmt::format("match.mx \"{}\" would take in all of \"*.{}\": give at least two "
                               "labels",
                               text,
                               name));
            continue;
        }
        claim(book_->suffixes_, suffix_claims_, name, text, rule, layer);
        if (layer == Layer::own) own_suffixes_.push_back({name, &rule});
    }
}

void RuleBook::Builder::add_domains(const config::ProviderRule& rule, Layer layer) {
    for (auto const& text : rule.domains) {
        auto name = host_form(text);
        if (name.empty()) {
            report(layer,
                   rule.match_place,
                   fmt::format("match.domains \"{}\" can never match: write a recipient domain, "
                               "such as \"example.com\", or \".example.com\" for all below it",
                               text));
            continue;
        }
        if (text.starts_with('.')) name.insert(name.begin(), '.');
        claim(book_->domains_, domain_claims_, name, text, rule, layer);
    }
}

void RuleBook::Builder::add_networks(const config::ProviderRule& rule, Layer layer) {
    for (auto const& text : rule.addresses) {
        auto const network = Network4or6::parse(text);
        if (!network || network->prefix == 0) {
            report(
                layer,
                rule.match_place,
                fmt::format("match.addresses \"{}\" is no network: write \"192.0.2.0/24\"", text));
            continue;
        }
        auto const key = fmt::format("{}/{}", network->base.to_string(), network->prefix);
        Names names;
        for (auto const& [known, provider] : book_->networks_) {
            names.emplace(fmt::format("{}/{}", known.base.to_string(), known.prefix), provider);
        }
        bool const fresh = !network_claims_.contains(key);
        claim(names, network_claims_, key, text, rule, layer);
        if (fresh) book_->networks_.emplace_back(*network, rule.name);
    }
}

void RuleBook::Builder::add_limits(const config::ProviderRule& rule, Layer layer) {
    auto& ceilings = book_->providers_[rule.name].ceilings;
    auto const set = [&](std::string_view what, auto& limit, auto const& given) {
        if (!given) return;
        auto const [known, first] = limits_.try_emplace(fmt::format("{}.{}", rule.name, what),
                                                        Declared{rule.limits_place, layer});
        if (!first) {
            if (known->second.layer == layer) {
                report(layer,
                       rule.limits_place,
                       fmt::format("limits.{} of \"{}\" is never used: {}it is set already; keep "
                                   "one of the two",
                                   what,
                                   rule.name,
                                   known->second.place.text()));
            }
            return;
        }
        if (layer == Layer::own) {
            limit = *given;
        } else {
            lower(limit, *given);
        }
    };
    set("connections", ceilings.connections, rule.connections);
    set("messages_per_connection", ceilings.messages_per_connection, rule.messages_per_connection);
    set("messages_per_second", ceilings.messages_per_second, rule.messages_per_second);
    set("messages_per_hour", ceilings.messages_per_hour, rule.messages_per_hour);
    set("messages_per_day", ceilings.messages_per_day, rule.messages_per_day);
    set("connections_per_second", ceilings.connections_per_second, rule.connections_per_second);
}

void RuleBook::Builder::add_reply(const config::ReplyRule& rule,
                                  const std::string& provider,
                                  Layer layer) {
    auto pattern = Pattern::compile(rule, provider);
    if (!pattern) {
        if (layer == Layer::own && faults_.size() < faults_max) {
            faults_.push_back(pattern.error().detail);
        }
        return;
    }
    auto& patterns = provider == everybody ? book_->replies_ : book_->providers_[provider].replies;
    patterns.push_back(*std::move(pattern));
    if (layer == Layer::own) own_patterns_.push_back(rule.place);
}

void RuleBook::Builder::prove_matches() {
    std::vector<std::string> const led(led_to_.begin(), led_to_.end());
    std::set<std::string> told;
    for (auto const& [name, place] : own_providers_) {
        if (led_to_.contains(name) || !told.insert(name).second) continue;
        auto const meant = config::nearest(name, led);
        report(
            Layer::own,
            place,
            fmt::format("no match in any file leads to the provider \"{}\", so nothing in it can "
                        "ever apply: {}",
                        name,
                        meant.empty() ? "give it a match" : "did you mean \"" + meant + "\"?"));
    }
    for (auto const& longer : own_suffixes_) {
        for (auto const& shorter : own_suffixes_) {
            if (longer.rule->name == shorter.rule->name &&
                longer.name.ends_with("." + shorter.name)) {
                report(Layer::own,
                       longer.rule->match_place,
                       fmt::format("match.mx \"{}\" adds nothing: \"{}\" takes it in already; "
                                   "leave it out",
                                   longer.name,
                                   shorter.name));
            }
        }
    }
}

void RuleBook::Builder::prove_examples() {
    auto const prove = [&](const Pattern& pattern) {
        auto const provider = pattern.provider() == everybody ? "" : pattern.provider();
        for (auto const& example : pattern.examples()) {
            auto const reply = read_reply(example);
            if (!reply) {
                report(Layer::own,
                       pattern.place(),
                       fmt::format("example \"{}\" is no refusal: write it with its code first, "
                                   "such as \"421 4.7.0 Too many connections\"",
                                   example));
            } else if (!pattern.matches(*reply)) {
                report(Layer::own,
                       pattern.place(),
                       fmt::format("the pattern {} does not match its own example \"{}\", so it is "
                                   "dead or the example is not its own: correct one of them",
                                   pattern.label(),
                                   example));
            } else if (auto const* const first = book_->pattern_for(provider, *reply);
                       first != &pattern) {
                report(Layer::own,
                       pattern.place(),
                       fmt::format("the pattern {} is shadowed: {}{} comes first and takes its "
                                   "example \"{}\"; put the special before the general",
                                   pattern.label(),
                                   first->place().text(),
                                   first->label(),
                                   example));
            }
        }
    };
    auto const prove_own = [&](const std::vector<Pattern>& patterns) {
        for (auto const& pattern : patterns) {
            if (std::ranges::find(own_patterns_, pattern.place()) != own_patterns_.end()) {
                prove(pattern);
            }
        }
    };
    for (auto const& [name, provider] : book_->providers_) {
        prove_own(provider.replies);
    }
    prove_own(book_->replies_);
}

std::shared_ptr<const RuleBook> RuleBook::Builder::finish() {
    prove_matches();
    prove_examples();
    return book_;
}

}  // namespace millrace::relay
