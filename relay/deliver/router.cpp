#include "relay/deliver/router.hpp"

#include <algorithm>

#include <boost/asio/ip/address.hpp>

#include "common/mail/domain.hpp"
#include "common/net/signal.hpp"

namespace millrace::relay {

namespace {

// Shorter and a busy destination asks for every connection; longer and a moved server is missed.
constexpr Duration kept_min = std::chrono::minutes(1);
constexpr Duration kept_max = std::chrono::hours(1);
// A DNS that does not answer is not asked again for every message of a burst.
constexpr Duration kept_unknown = std::chrono::seconds(15);
constexpr std::size_t kept_count_max = 50'000;

std::optional<Address> parse_address(std::string_view text) {
    boost::system::error_code ec;
    auto address = boost::asio::ip::make_address(std::string(text), ec);
    if (ec) return std::nullopt;
    return address;
}

/// Something a DNS question can be made of; anything else is nobody's domain.
bool is_askable(std::string_view domain) {
    if (domain.empty() || domain.size() > 253) return false;
    while (true) {
        auto const dot = domain.find('.');
        auto const label = domain.substr(0, dot);
        if (label.empty() || label.size() > 63) return false;
        if (dot == std::string_view::npos) return true;
        domain.remove_prefix(dot + 1);
    }
}

Undeliverable no_such_domain(const std::string& domain) {
    return {.code = 550, .enhanced = "5.1.2", .reason = "The domain " + domain + " does not exist"};
}

Routing to_route(Admitted admitted) {
    if (auto* no = std::get_if<Undeliverable>(&admitted)) return std::move(*no);
    if (auto* maybe = std::get_if<Unknown>(&admitted)) return std::move(*maybe);
    Route route;
    route.groups = std::get<0>(std::move(admitted));
    return route;
}

}  // namespace

struct Router::Question {
    std::optional<Routing> routing;
    std::list<Signal*> waiting;
    Rules rules;  ///< under which it was asked

    void settle(Routing answer) {
        if (routing) return;
        routing = std::move(answer);
        for (auto* waiter : waiting)
            waiter->notify();
    }
};

struct Router::Gathering {
    explicit Gathering(asio::any_io_executor executor) : done(std::move(executor)) {}
    std::vector<DnsAnswer<Address>> answers;
    std::size_t open = 0;
    Signal done;
};

Router::Router(asio::any_io_executor executor,
               Resolver& resolver,
               Clock& clock,
               Log& log,
               config::Snapshot settings,
               std::vector<Endpoint> own)
    : executor_(executor),
      resolver_(resolver),
      clock_(clock),
      lookups_(std::move(executor), log, "router") {
    configure(std::move(settings), std::move(own));
}

Router::~Router() = default;

void Router::configure(config::Snapshot settings, std::vector<Endpoint> own) {
    rules_ = std::make_shared<const RouteRules>(RouteRules::from(*settings, std::move(own)));
    forget();
}

void Router::forget() {
    kept_.clear();
    by_age_.clear();
}

void Router::forget(const std::string& destination) {
    auto const found = kept_.find(destination);
    if (found == kept_.end()) return;
    by_age_.erase(found->second.age);
    kept_.erase(found);
}

Task<void> Router::stop() {
    lookups_.stop();
    co_await lookups_.drained();
}

Task<Routing> Router::route(std::string destination) {
    if (auto const found = kept_.find(destination); found != kept_.end()) {
        if (clock_.now() < found->second.until) co_return found->second.routing;
        forget(destination);
    }

    auto question = asked_[destination];
    // A question asked under old settings is answered for those who asked it, not for us.
    if (!question || question->rules != rules_) {
        question = std::make_shared<Question>();
        question->rules = rules_;
        asked_[destination] = question;
        // May be answered, and struck off, before this returns.
        lookups_.spawn(answer(destination, question));
    }
    if (lookups_.stopping()) {
        question->settle(Unknown{.enhanced = "4.3.2", .reason = "The relay is shutting down"});
    }

    Signal settled(executor_);
    struct Leave {
        std::list<Signal*>& waiting;
        std::list<Signal*>::iterator place;
        ~Leave() { waiting.erase(place); }
    };
    Leave const leave{question->waiting,
                      question->waiting.insert(question->waiting.end(), &settled)};
    while (!question->routing)
        co_await settled.wait();
    co_return *question->routing;
}

Task<void> Router::answer(std::string destination, std::shared_ptr<Question> question) {
    // Whoever waits is answered even when this conversation is ended in the middle.
    struct Settle {
        Router& router;
        const std::string& destination;
        const std::shared_ptr<Question>& question;
        ~Settle() {
            auto const asked = router.asked_.find(destination);
            if (asked != router.asked_.end() && asked->second == question) {
                router.asked_.erase(asked);
            }
            question->settle(Unknown{.enhanced = "4.3.2", .reason = "The look-up was stopped"});
        }
    };
    Settle const at_the_end{*this, destination, question};

    auto found = co_await look_up(destination, question->rules);
    auto const ttl = std::holds_alternative<Unknown>(found.routing)
                         ? kept_unknown
                         : std::clamp(found.ttl, kept_min, kept_max);
    auto const until = clock_.now() + ttl;
    if (auto* route = std::get_if<Route>(&found.routing)) route->valid_until = until;
    if (question->rules == rules_) keep(destination, found.routing, until);
    question->settle(std::move(found.routing));
}

void Router::keep(const std::string& destination, const Routing& routing, Time until) {
    forget(destination);
    if (kept_.size() >= kept_count_max) {
        kept_.erase(by_age_.front());
        by_age_.pop_front();
    }
    by_age_.push_back(destination);
    kept_.emplace(destination,
                  Kept{.routing = routing, .until = until, .age = std::prev(by_age_.end())});
}

Task<Router::Answer> Router::look_up(std::string destination, Rules rules) {
    auto const* const rule = rules->find(destination);
    if (rule != nullptr && !rule->login) {
        co_return Answer{Unknown{.enhanced = "4.3.5", .reason = rule->login.error().detail}, {}};
    }
    if (rule != nullptr && !rule->route.host.empty()) co_return co_await by_host(rules, *rule);
    co_return co_await by_mx(std::move(destination), rules, rule);
}

/// A route of the operator's: no MX, private addresses welcome, and its faults are never the
/// message's.
Task<Router::Answer> Router::by_host(Rules rules, const RouteRule& rule) {
    auto const& configured = rule.route;
    auto name = mail::lower(configured.host);
    if (name.size() > 2 && name.front() == '[' && name.back() == ']') {
        name = name.substr(1, name.size() - 2);
    }
    DnsAnswer<Address> found;
    if (auto const address = parse_address(name)) {
        found.status = DnsStatus::found;
        found.records.push_back(*address);
        found.ttl = kept_max;
    } else {
        found = co_await resolver_.addresses(name);
    }
    if (found.status != DnsStatus::found) {
        co_return Answer{
            Unknown{.enhanced = "4.4.3",
                    .reason = "The configured route's host " + name + " has no address" +
                              (found.detail.empty() ? "" : ": " + found.detail)},
            {}};
    }
    Host host{.name = name, .addresses = found.records, .port = configured.port};
    auto const ours = [&](const Address& address) {
        return is_ourselves({address, configured.port}, rules->own);
    };
    if (std::ranges::any_of(host.addresses, ours)) {
        co_return Answer{Unknown{.enhanced = "4.4.6",
                                 .reason = "The configured route for " + configured.domain +
                                           " leads back to this relay: change relay.routes"},
                         {}};
    }
    std::erase_if(host.addresses,
                  [&](const Address& address) { return !rules->sources.reach(address); });
    if (host.addresses.empty()) {
        co_return Answer{Unknown{.enhanced = "4.4.4",
                                 .reason = "The configured route's host " + name +
                                           " has no address of a family in relay.sources"},
                         {}};
    }
    auto const shown = name.find(':') == std::string::npos ? name : "[" + name + "]";
    Route route;
    route.site =
        site_name(shown + ":" + std::to_string(configured.port), &configured, rules->delivery);
    route.groups = {{std::move(host)}};
    route.tls = configured.tls;
    route.login = *rule.login;
    co_return Answer{std::move(route), found.ttl};
}

Task<Router::Answer> Router::by_mx(std::string destination, Rules rules, const RouteRule* rule) {
    auto const& delivery = rules->delivery;
    auto const* const configured = rule == nullptr ? nullptr : &rule->route;
    Admission const admission{
        .port = configured != nullptr && configured->port != 25 ? configured->port : delivery.port,
        .private_addresses = delivery.private_addresses,
        .ipv6 = delivery.ipv6,
        .own = rules->own,
        .sources = rules->sources};

    std::vector<std::vector<std::string>> names;
    std::string site;
    Duration ttl = kept_max;
    Answer answer;
    if (destination.starts_with('[')) {
        auto const address = parse_address(mail::literal_address(destination));
        if (!address) {
            co_return Answer{Undeliverable{.code = 550,
                                           .enhanced = "5.1.2",
                                           .reason = destination + " is not an address literal"},
                             kept_max};
        }
        auto literal = admission;
        literal.ipv6 = true;  // whoever writes it down means it
        std::vector<Lookup> const group{{.name = destination,
                                         .status = DnsStatus::found,
                                         .addresses = {*address},
                                         .detail = {}}};
        std::vector<std::vector<Lookup>> const groups{group};
        site = destination;
        answer = {to_route(admit(groups, literal)), kept_max};
    } else if (!is_askable(destination)) {
        co_return Answer{no_such_domain(destination), kept_max};
    } else {
        auto const found = co_await resolver_.mx(destination);
        ttl = found.ttl;
        switch (found.status) {
            case DnsStatus::temporary:
                co_return Answer{
                    Unknown{.enhanced = "4.4.3",
                            .reason = "Looking up the mail servers of " + destination + ": " +
                                      (found.detail.empty() ? "no answer" : found.detail)},
                    {}};
            case DnsStatus::no_name:
                co_return Answer{no_such_domain(destination), ttl};
            case DnsStatus::no_data:
                site = destination;
                names = {{destination}};
                break;
            case DnsStatus::found: {
                auto set = arrange(found.records);
                if (set.null) {
                    co_return Answer{Undeliverable{.code = 556,
                                                   .enhanced = "5.1.10",
                                                   .reason = "The domain " + destination +
                                                             " does not accept mail (null MX)"},
                                     ttl};
                }
                site = std::move(set.site);
                names = std::move(set.groups);
                break;
            }
        }
        auto const implicit = found.status == DnsStatus::no_data;
        auto const groups = co_await addresses(std::move(names), ttl);
        // Implicit MX (RFC 5321 §5.1): a domain without MX and without address takes no mail.
        auto const& first = groups.front().front();
        if (implicit &&
            (first.status == DnsStatus::no_data || first.status == DnsStatus::no_name)) {
            co_return Answer{
                Undeliverable{.code = 550,
                              .enhanced = "5.1.2",
                              .reason = "The domain " + destination + " has no mail server"},
                ttl};
        }
        answer = {to_route(admit(groups, admission)), ttl};
    }
    if (auto* route = std::get_if<Route>(&answer.routing)) {
        route->site = site_name(std::move(site), configured, delivery);
        route->tls = configured == nullptr ? delivery.tls : configured->tls;
        if (rule != nullptr) route->login = *rule->login;
    }
    co_return answer;
}

Task<std::vector<std::vector<Lookup>>> Router::addresses(
    std::vector<std::vector<std::string>> names, Duration& ttl) {
    auto const all = std::make_shared<Gathering>(executor_);
    for (const auto& group : names)
        all->open += group.size();
    all->answers.resize(all->open);
    std::size_t index = 0;
    for (const auto& group : names) {
        for (const auto& name : group)
            lookups_.spawn(one_address(name, all, index++));
    }
    while (all->open > 0)
        co_await all->done.wait();

    std::vector<std::vector<Lookup>> groups;
    index = 0;
    for (auto& group : names) {
        auto& found = groups.emplace_back();
        for (auto& name : group) {
            auto& answer = all->answers[index++];
            if (answer.status != DnsStatus::temporary) ttl = std::min(ttl, answer.ttl);
            found.push_back({.name = std::move(name),
                             .status = answer.status,
                             .addresses = std::move(answer.records),
                             .detail = std::move(answer.detail)});
        }
    }
    co_return groups;
}

Task<void> Router::one_address(std::string name,
                               std::shared_ptr<Gathering> all,
                               std::size_t index) {
    struct Count {
        Gathering& all;
        ~Count() {
            if (--all.open == 0) all.done.notify();
        }
    };
    Count const at_the_end{*all};
    all->answers[index] = co_await resolver_.addresses(std::move(name));
}

}  // namespace millrace::relay
