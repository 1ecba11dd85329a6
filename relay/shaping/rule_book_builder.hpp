#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "relay/shaping/rule_book.hpp"

namespace millrace::relay {

/// Makes a RuleBook of rules in layers, the operator's first, and proves the first layer: that
/// every match can lead somewhere, every pattern fires, and nothing contradicts itself.
class RuleBook::Builder {
  public:
    explicit Builder(const Ceilings& base);

    void add(const config::ShapingRules& rules, Layer layer);
    /// The book; complete() in any case, even when faults() has some.
    std::shared_ptr<const RuleBook> finish();
    /// After finish(): what is wrong with the own rules.
    const std::vector<std::string>& faults() const { return faults_; }

  private:
    struct Declared {
        config::Place place;
        Layer layer;
    };

    void add_provider(const config::ProviderRule& rule, Layer layer);
    void add_suffixes(const config::ProviderRule& rule, Layer layer);
    void add_domains(const config::ProviderRule& rule, Layer layer);
    void add_networks(const config::ProviderRule& rule, Layer layer);
    void add_limits(const config::ProviderRule& rule, Layer layer);
    void add_reply(const config::ReplyRule& rule, const std::string& provider, Layer layer);
    /// A name that leads to a provider: said before by whom?
    void claim(Names& names,
               std::map<std::string, Declared>& claims,
               const std::string& name,
               const std::string& shown,
               const config::ProviderRule& rule,
               Layer layer);
    void prove_matches();
    void prove_examples();
    void report(Layer layer, const config::Place& place, const std::string& detail);

    std::shared_ptr<RuleBook> book_;
    std::vector<std::string> faults_;
    std::map<std::string, Declared> suffix_claims_, domain_claims_, network_claims_;
    std::map<std::string, Declared> limits_;  ///< `google.connections` -> who set it
    std::set<std::string> led_to_;            ///< providers that some match leads to
    std::vector<std::pair<std::string, config::Place>> own_providers_;
    std::vector<config::Place> own_patterns_;
    struct Suffix {
        std::string name;
        const config::ProviderRule* rule;
    };
    std::vector<Suffix> own_suffixes_;
};

}  // namespace millrace::relay
