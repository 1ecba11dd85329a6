// The part of the operator's desk that watches the dialogues with receiving servers.
#include <functional>
#include <set>

#include "relay/operator_desk.hpp"

namespace millrace::relay {
namespace {

constexpr std::size_t sites_known_max = 1'000;

/// Which lines are about one destination (or message, provider …): those of its transactions, and
/// what is said between transactions on connections to its sites.
class Wanted {
  public:
    using OfLoad = std::function<bool(const TraceLoad&)>;

    /// destinations: their sites are looked up as long as they have mail. learns: the site of a
    /// transaction that matches is one of its sites.
    Wanted(const Scheduler& scheduler,
           OfLoad load,
           std::set<std::string> destinations = {},
           bool learns = true)
        : scheduler_(scheduler),
          load_(std::move(load)),
          destinations_(std::move(destinations)),
          learns_(learns) {}

    bool operator()(const TraceLine& line) {
        if (line.load.message.value != 0) {
            bool const matches = load_(line.load);
            if (matches && learns_) remember(line.site);
            return matches;
        }
        for (auto const& name : destinations_) {
            if (auto const view = scheduler_.destination(name, line.at)) remember(view->site);
        }
        return sites_.contains(line.site);
    }

  private:
    void remember(const std::string& site) {
        if (!site.empty() && sites_.size() < sites_known_max) sites_.insert(site);
    }

    const Scheduler& scheduler_;
    OfLoad load_;
    std::set<std::string> destinations_;
    bool learns_;
    std::set<std::string> sites_;
};

/// The host name as a site, too: `mx1.example` is enough of `mx1.example,mx2.example`.
bool is_part_of(std::string_view site, std::string_view name) {
    auto const hosts = site.substr(0, site.find(';'));
    for (auto at = hosts.find(name); at != std::string_view::npos; at = hosts.find(name, at + 1)) {
        bool const begins = at == 0 || hosts[at - 1] == ',';
        auto const end = at + name.size();
        if (begins && (end == hosts.size() || hosts[end] == ',' || hosts[end] == ':')) return true;
    }
    return site == name;
}

std::function<bool(const TraceLine&)> wanted(const Scheduler& scheduler,
                                             const OrderTarget& target) {
    auto const& name = target.name;
    switch (target.axis) {
        case OrderAxis::all:
            break;
        case OrderAxis::site:
            return [name](const TraceLine& line) {
                return is_part_of(line.site, name);
            };
        case OrderAxis::source:
            return [name](const TraceLine& line) {
                return line.source == name;
            };
        case OrderAxis::destination:
            return Wanted(
                scheduler, [name](auto const& load) { return load.destination == name; }, {name});
        case OrderAxis::provider:
            return Wanted(scheduler, [&scheduler, name](auto const& load) {
                auto const view = scheduler.destination(load.destination, {});
                return view && view->provider == name;
            });
        // Between two messages a connection is nobody's in particular.
        case OrderAxis::account:
            return Wanted(
                scheduler, [name](auto const& load) { return load.account == name; }, {}, false);
        case OrderAxis::sender_domain:
            return Wanted(
                scheduler,
                [name](auto const& load) { return load.sender_domain == name; },
                {},
                false);
    }
    return [](const TraceLine&) {
        return true;
    };
}

}  // namespace

Task<Result<std::shared_ptr<TraceListener>>> OperatorDesk::trace(TraceWish wish) {
    auto const& scheduler = parts_.dispatcher.scheduler();
    auto& hub = parts_.dispatcher.trace();
    if (wish.message) {
        auto const mail = co_await parts_.spool.mail(*wish.message);
        if (!mail) {
            co_return std::unexpected(mail.error());
        }
        std::set<std::string> destinations;
        for (auto const& work : mail->works)
            destinations.insert(work.destination);
        co_return hub.listen(Wanted(
            scheduler,
            [id = *wish.message](auto const& load) { return load.message == id; },
            std::move(destinations),
            false));
    }
    co_return hub.listen(wanted(scheduler, wish.target));
}

}  // namespace millrace::relay
