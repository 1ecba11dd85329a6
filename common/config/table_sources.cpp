// The settings of the addresses that mail leaves from.
#include <algorithm>

#include "common/config/form.hpp"
#include "common/config/table.hpp"

namespace millrace::config {
namespace {

void describe_source(Table& t, Source& s) {
    t.text("address",
           s.address,
           form::address(),
           {"Address of this machine that mail leaves from, as Postfix's smtp_bind_address. "
            "`0.0.0.0` or `::`: any of that family, as the system chooses."});
    t.text("hostname",
           s.hostname,
           form::host_name(),
           {"The name in EHLO from there; it should have this address in the DNS, and the address "
            "should map back to it. Postfix's smtp_helo_name.",
            "each address has a name of its own",
            "`relay.hostname`"});
    t.text("name",
           s.name,
           form::label(),
           {"What it is called in pools, commands and answers. An IPv4 and an IPv6 address of the "
            "same name are one source: mail goes over whichever the receiver has.",
            "there are several sources, or pools",
            "the address; a lone pair of an IPv4 and an IPv6 address is one source, called like "
            "the first"});
    t.number("weight",
             s.weight,
             {1, 1'000},
             {"Its part of its pool's mail, beside the weights of the others.",
              "an address is to carry more than another"});
    t.choice("ptr",
             s.ptr,
             {{"confirmed", PtrRule::confirmed}, {"any", PtrRule::any}},
             {"Of an IPv6 address. `confirmed`: it is used only while its reverse name leads back "
              "to it, for large receivers refuse mail from others; it is looked up again and "
              "again, and an alert says when it is not so. `any`: always.",
              "a closed network has no reverse names"});
    t.yes_no(
        "warm_up",
        s.warm_up,
        {"It is new: its volume grows day by day, for each receiver by itself, and only after "
         "days that went well; the rest of its mail leaves from sources of its pool that have "
         "no `warm_up`, or waits. `millrace learn --warm` ends it for an address with a history.",
         "an address has never sent mail, or not for a month"});
    t.number("warm_up_first",
             s.warm_up_first,
             {10, 1'000'000},
             {"Messages to each receiver on the first day."});
    t.number("warm_up_goal",
             s.warm_up_goal,
             {10, 100'000'000},
             {"Messages a day to one receiver with which the warm-up there is over.",
              "the largest receiver is to get more, or fewer"});
    t.texts("warm_up_domains",
            s.warm_up_domains,
            Form{"domains", form::host_name().check},
            {"Senders' domains that are new too: each is warmed up from there by itself, beside "
             "the source's own warm-up or without one."});
}

void describe_pool(Table& t, Pool& p) {
    t.text("name", p.name, form::label(), {"What it is called."});
    t.texts("sources",
            p.sources,
            Form{"names", form::label().check},
            {"Names of sources, in any order; their weights decide. Empty: all."});
    t.parsed(
        "classes",
        "`bulk`, `transactional`",
        [&p](const std::vector<std::string>& words) -> Objection {
            for (auto const& word : words) {
                if (word != "bulk" && word != "transactional") {
                    return quote(word) + " is no class: there are bulk and transactional";
                }
            }
            p.classes = words;
            return std::nullopt;
        },
        [&p] { return p.classes; },
        {"Mail of which class. Empty: of both.", "newsletters have addresses of their own", {}});
    t.texts("sender_domains",
            p.sender_domains,
            Form{"domains", form::domain_pattern().check},
            {"Mail of which senders' domains; `.example.com` stands for the subdomains. Empty: of "
             "all.",
             "a company has addresses of its own"});
}

}  // namespace

void describe_sources(Table& t, Relay& r) {
    t.groups("relay.sources",
             r.sources,
             describe_source,
             {"Addresses that mail leaves from, 64 at most. Mail is shared out among them by "
              "weight, and each message keeps its source for all its attempts. Receiving servers "
              "are reached over the address families named here only, so one source of `::` means "
              "IPv6 only. Servers on loopback are reached from loopback.",
              "the machine has several addresses, or one of them has the reputation",
              "none: the system's choice"});
    t.groups("relay.pools",
             r.pools,
             describe_pool,
             {"Sources for the mail of certain senders, 64 at most. Of several pools that fit the "
              "first counts; mail that fits none leaves from any source.",
              "newsletters, or a company, are to have addresses of their own",
              "none: all mail from all sources"});
}

}  // namespace millrace::config
