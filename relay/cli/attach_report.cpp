#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fstream>

#include <boost/json.hpp>

#include "relay/attach/report.hpp"
#include "relay/cli/attach.hpp"
#include "relay/cli/grid.hpp"
#include "relay/cli/json_view.hpp"

namespace millrace::relay {
namespace {

std::string view_rules(const attach::Report& report, const Style& style) {
    std::string text;
    for (auto const& [code, rule] : report.rules) {
        text += fmt::format("{}  {}, {}\n",
                            paint(style, Colour::bold, code),
                            harmless(rule.what),
                            count_of(rule.messages, "message"));
        for (auto const& sender : attach::most(rule.senders, 5)) {
            text +=
                fmt::format("      {:>7}  {}\n", grouped(sender.second), harmless(sender.first));
        }
        if (rule.senders.size() > 5) {
            text += fmt::format("               and {} more senders\n", rule.senders.size() - 5);
        }
        if (!rule.examples.empty()) {
            text += fmt::format("      for example {}\n",
                                harmless(fmt::format("{}", fmt::join(rule.examples, ", "))));
        }
    }
    return text;
}

std::string view_domains(const attach::Report& report, const Style& style) {
    Grid grid;
    grid.column("FROM DOMAIN", Grid::Fit::shrinks);
    grid.column("MESSAGES", Grid::Fit::right);
    grid.column("");
    for (auto const& [domain, count] : attach::most(report.from, 20)) {
        grid.row({domain, grouped(count), report.known.contains(domain) ? "known" : "not known"});
    }
    return grid.empty() ? "" : grid.text(style, 2);
}

std::string view_limits(const attach::Report& report, const Style& style) {
    Grid grid;
    grid.column("DESTINATION", Grid::Fit::shrinks);
    grid.column("RECIPIENTS", Grid::Fit::right);
    grid.column("BUSIEST MINUTE", Grid::Fit::right);
    grid.column("UNDER THE LIMITS OF NOW", Grid::Fit::shrinks);
    for (auto const& [domain, load] : attach::busiest(report, 20)) {
        grid.row({domain,
                  grouped(load.recipients),
                  grouped(load.busiest_minute),
                  load.longest_wait == Duration::zero()
                      ? "at once"
                      : "the last waits " + to_human(load.longest_wait)});
    }
    return grid.empty() ? "" : grid.text(style, 2);
}

std::string view(const attach::Report& report, const Style& style) {
    if (report.messages == 0) {
        return "the gate has seen no message yet\n";
    }
    std::string text = fmt::format(
        "{} of your own side, from {} to {}; {} of others passed "
        "untouched\n",
        count_of(report.messages, "message"),
        report.first,
        report.last,
        grouped(report.untouched));
    text += fmt::format("{} nothing to change, {} to be mended, {} to be refused\n\n",
                        grouped(report.clean),
                        grouped(report.mended),
                        grouped(report.refused));
    if (auto const rules = view_rules(report, style); !rules.empty()) {
        text += rules + "\n";
    }
    text += view_domains(report, style);
    if (auto const proposal = attach::proposal(report); !proposal.empty()) {
        text += fmt::format(
            "  if they are yours, put into millrace.conf:\n    gate = {{ known_domains = "
            "[ \"{}\" ]; }};\n\n",
            fmt::join(proposal, "\", \""));
    }
    text += view_limits(report, style);
    if (report.skipped > 0) {
        text += fmt::format("{} of the log could not be read and {} left out\n",
                            count_of(report.skipped, "line"),
                            report.skipped == 1 ? "was" : "were");
    }
    return text;
}

boost::json::object to_json(const attach::Report& report) {
    boost::json::array rules, domains, destinations;
    for (auto const& [code, rule] : report.rules) {
        boost::json::object senders;
        for (auto const& [sender, count] : attach::most(rule.senders, 1000)) {
            senders[sender] = count;
        }
        boost::json::array examples;
        for (auto const& example : rule.examples) {
            examples.emplace_back(example);
        }
        rules.push_back(boost::json::object{{"code", code},
                                            {"what", rule.what},
                                            {"messages", rule.messages},
                                            {"senders", senders},
                                            {"examples", examples}});
    }
    for (auto const& [domain, count] : attach::most(report.from, 1000)) {
        domains.push_back(boost::json::object{
            {"domain", domain}, {"messages", count}, {"known", report.known.contains(domain)}});
    }
    for (auto const& [domain, load] : attach::busiest(report, 1000)) {
        destinations.push_back(boost::json::object{
            {"domain", domain},
            {"recipients", load.recipients},
            {"busiest_minute", load.busiest_minute},
            {"longest_wait_seconds",
             std::chrono::duration_cast<std::chrono::seconds>(load.longest_wait).count()}});
    }
    return {{"messages", report.messages},
            {"untouched", report.untouched},
            {"clean", report.clean},
            {"mended", report.mended},
            {"refused", report.refused},
            {"from", report.first},
            {"to", report.last},
            {"rules", rules},
            {"from_domains", domains},
            {"destinations", destinations},
            {"skipped_lines", report.skipped}};
}

}  // namespace

int attach_report(const Session& session, const Arguments&) {
    auto const settings = settings_for(session);
    if (!settings) {
        return complain(settings.error());
    }
    auto const& file = (*settings)->milter.message_log;
    if (file.empty()) {
        return complain({Fault::not_found,
                         "not attached, and the gate writes no message log: `millrace attach "
                         "postfix` sets milter.message_log"});
    }
    attach::ReportMaker maker(**settings);
    bool any = false;
    // What logrotate put aside a moment ago counts too.
    for (auto const& name : {file + ".1", file}) {
        std::ifstream in(name);
        any = any || in.good();
        for (std::string line; std::getline(in, line);) {
            maker.add(line);
        }
    }
    if (!any) {
        return complain({Fault::unavailable,
                         file + " cannot be read: the milter writes it once it has judged a "
                                "message; are you root, or in its group?"});
    }
    auto const report = std::move(maker).finish();
    if (session.json) {
        fmt::print("{}\n", boost::json::serialize(to_json(report)));
    } else {
        fmt::print("{}", view(report, session.style));
    }
    return config::exit_done;
}

}  // namespace millrace::relay
