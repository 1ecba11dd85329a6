#include "relay/attach/sendmail_plan.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "common/config/load.hpp"
#include "relay/attach/attached_settings.hpp"
#include "relay/attach/setting_text.hpp"

namespace millrace::attach {
namespace {

constexpr std::string_view begin_mark = "dnl # --- Millrace begins: written by `millrace attach' ";
constexpr std::string_view end_mark = "dnl # --- Millrace ends\n";

/// As INPUT_MAIL_FILTER would have it, but ours is asked first, wherever the others are named: what
/// signs must see the header as we leave it. Without F= a gate that is away is passed over.
std::string filter(const std::string& socket, Step step) {
    return fmt::format(
        "MAIL_FILTER(`millrace', `S=local:{}{}, T=C:30s;S:10s;R:60s;E:5m')dnl\n"
        "define(`confINPUT_MAIL_FILTERS', ifdef(`confINPUT_MAIL_FILTERS',\n"
        "  ``millrace, 'defn(`confINPUT_MAIL_FILTERS')', ``millrace''))dnl\n",
        socket,
        step == Step::enforcing ? ", F=T" : "");
}

/// The mailer that has carried the mail until now, under our name and to our port, so that it
/// rewrites addresses as before. Flag k: the relay greets with this machine's own name, which is no
/// loop.
std::string mailer(const std::string& old, std::uint16_t port) {
    std::string out;
    for (std::size_t begin = 0; begin < old.size();) {
        auto const end = std::min(old.find(',', begin), old.size());
        auto part = old.substr(begin, end - begin);
        part.erase(0, std::min(part.find_first_not_of(" \t"), part.size()));
        if (part.starts_with("F=") && part.find('k') == part.npos) {
            part += "k";
        } else if (part.starts_with("A=")) {
            part = fmt::format("A=TCP $h {}", port);
        }
        out += (out.empty() ? "" : ", ") + part;
        begin = end + 1;
    }
    return fmt::format("M{},\t{}\n", transport, out);
}

class Planner {
  public:
    Planner(const Sendmail& sendmail, const Wish& wish, Step step)
        : sendmail_(sendmail), wish_(wish), step_(step), old_(smart_host_of(sendmail)) {}

    Plan make() {
        look_for_obstacles();
        if (!plan_.obstacles.empty()) {
            return std::move(plan_);
        }
        plan_.changes.push_back({Change::Where::main, sendmail_.mc, block()});
        describe();
        write_settings();
        give_advice();
        return std::move(plan_);
    }

  private:
    /// Whose definition ours is made of: the smart host's, or that for all other mail.
    std::string carrier() const { return old_.host.empty() ? "esmtp" : old_.mailer; }

    void look_for_obstacles() {
        if (step_ == Step::listening && has_block(sendmail_.mc_text)) {
            plan_.obstacles.push_back(fmt::format(
                "{} has our lines already, but there is no record of an attachment: take them out "
                "by hand (from `Millrace begins' to `Millrace ends'), make the .cf file anew, then "
                "attach again",
                sendmail_.mc));
        }
        if (step_ == Step::listening &&
            (std::ranges::find(sendmail_.filters, transport) != sendmail_.filters.end() ||
             sendmail_.mailers.contains(std::string(transport)))) {
            plan_.obstacles.push_back(fmt::format(
                "{} has a filter or a mailer of the name millrace already: take it out, attach "
                "writes its own",
                sendmail_.cf));
        }
        if (!wish_.scope.whole()) {
            plan_.obstacles.push_back(
                "--sender and --domain are not there for Sendmail: put single destinations into "
                "the mailertable by hand");
        }
        look_at_settings(wish_, step_, plan_);
        auto const found = sendmail_.mailers.find(carrier());
        if (found == sendmail_.mailers.end() || found->second.find("[IPC]") == std::string::npos) {
            plan_.obstacles.push_back(fmt::format(
                "{} has no mailer {} that speaks SMTP: MAILER(`smtp') belongs into {}; mail that "
                "leaves by another way cannot go to the relay",
                sendmail_.cf,
                carrier(),
                sendmail_.mc));
        }
    }

    std::string block() const {
        auto text = fmt::format("{}\n{}", begin_mark, filter(wish_.socket, step_));
        if (step_ == Step::listening) {
            return text + std::string(end_mark);
        }
        auto const* const listener = listener_of(*wish_.settings);
        text += fmt::format("define(`SMART_HOST', `{}:[{}]')dnl\n", transport, listener->address);
        if (!relayed_names().empty()) {
            // They would go to the smart host too, and back: mail for them comes in, so it goes on
            // as before.
            auto const host = old_.host.empty() ? "$2"
                              : old_.by_mx      ? old_.host
                                                : "[" + old_.host + "]";
            text += fmt::format(
                "LOCAL_NET_CONFIG\n"
                "R$* < @ $=R . > $*\t$#{0} $@ {1} $: $1 < @ $2 . > $3\n"
                "R$* < @ $* . $=R . > $*\t$#{0} $@ {2} $: $1 < @ $2 . $3 . > $4\n",
                carrier(),
                host,
                old_.host.empty() ? "$2 . $3" : host);
        }
        text += "MAILER_DEFINITIONS\n";
        text += mailer(sendmail_.mailers.at(carrier()), listener->port);
        return text + std::string(end_mark);
    }

    /// relay-domains that are names, not clients' addresses.
    std::vector<std::string> relayed_names() const {
        std::vector<std::string> names;
        std::ranges::copy_if(sendmail_.relayed, std::back_inserter(names), [](const auto& name) {
            return name.find_first_not_of("0123456789.") != name.npos && !name.starts_with("IPv6:");
        });
        return names;
    }

    void describe() {
        plan_.passes.push_back(fmt::format(
            "SMTP, port {}: mail of those who log in, or come from {}; mail of strangers is seen "
            "and passes untouched",
            address_of(sendmail_).port,
            fmt::join(networks_of(sendmail_).items, ", ")));
        plan_.passes.push_back(
            "mail from programs of this machine (sendmail, cron), which submit.cf hands in by "
            "SMTP");
        if (step_ == Step::enforcing) {
            plan_.passes.push_back("mail to other domains is delivered by the relay");
            plan_.passes.push_back(
                "mail that an alias or .forward leads to other domains, too: whoever sent it, the "
                "relay mends it like mail of this machine, and never refuses it");
        }
        plan_.stays.push_back("mail that comes in for your own domains");
        if (auto const names = relayed_names(); !names.empty()) {
            plan_.stays.push_back(
                fmt::format("mail for the relay-domains ({})", fmt::join(names, ", ")));
        }
        if (auto const table = sendmail_.maps.find("mailertable"); table != sendmail_.maps.end()) {
            plan_.stays.push_back(
                fmt::format("destinations in the mailertable ({})", table->second));
        }
        plan_.stays.push_back("mail of `sendmail -Am`, which no filter of Sendmail sees");
    }

    void write_settings() {
        auto const networks = networks_of(sendmail_);
        plan_.settings = gate_settings("Sendmail of " + sendmail_.mc, wish_, step_, networks.items);
        if (!networks.opaque.empty()) {
            plan_.advice.push_back(fmt::format(
                "the access map lets {} relay, by name: mail of those clients is judged only when "
                "they log in; or put their addresses into milter.trusted",
                fmt::join(networks.opaque, ", ")));
        }
        if (step_ == Step::enforcing) {
            plan_.settings += relay_settings();
        }
    }

    std::string relay_settings() {
        auto const back = address_of(sendmail_);
        plan_.carried.push_back(fmt::format("the name in EHLO: {}", sendmail_.name));
        auto text = fmt::format(
            "relay = {{\n  hostname = {};\n"
            "  attached = {{ domains = {}; address = {}; port = {}; }};\n",
            config_string(sendmail_.name),
            array(sendmail_.domains),
            config_string(back.address),
            back.port);
        text += size_settings(
            std::strtoull(sendmail_.option("MaxMessageSize").c_str(), nullptr, 10), wish_, plan_);
        if (!old_.host.empty()) {
            text += route();
        }
        if (!wish_.mail_log.empty()) {
            text += fmt::format("  mail_log = {};\n", config_string(wish_.mail_log));
        }
        return text + fmt::format("  handover_key = {};\n}};\n", config_string(wish_.handover_key));
    }

    std::string route() {
        plan_.carried.push_back(fmt::format("the smart host: {}:{}", old_.host, old_.port));
        if (sendmail_.maps.contains("authinfo") || sendmail_.maps.contains("access")) {
            plan_.advice.push_back(fmt::format(
                "a login at {} (AuthInfo: in authinfo or access) is not carried over: enter it by "
                "hand, relay.routes with user and password_file, in the configuration file",
                old_.host));
        }
        if (old_.by_mx) {
            plan_.advice.push_back(
                fmt::format("SMART_HOST {} without brackets means its MX; the relay connects to "
                            "the host of that name",
                            old_.host));
        }
        return fmt::format(
            "  routes = ( {{ domain = \"*\"; host = {}; port = {}; tls = \"may\"; }} );\n",
            config_string(old_.host),
            old_.port);
    }

    void give_advice() {
        if (auto const address = sendmail_.option("ClientPortOptions"); !address.empty()) {
            plan_.advice.push_back(fmt::format(
                "ClientPortOptions={}: the relay does not take that over; see relay.sources",
                address));
        }
        plan_.advice.push_back(
            "Sendmail adds a missing From or To after the gate has seen the message: once it acts, "
            "the gate refuses mail without From (H01) or with Bcc only (H02) that Sendmail "
            "completed until now");
        if (step_ == Step::enforcing) {
            plan_.advice.push_back(
                fmt::format("the relay gives mail up after {} and tells no one before (Sendmail: "
                            "{}); see relay.delivery.expire_after",
                            config::print_duration(wish_.settings->relay.delivery.expire_after),
                            sendmail_.option("Timeout.queuereturn", "5d")));
            plan_.advice.push_back(
                "once the gate acts Sendmail answers 451 to everybody while it is away, to "
                "strangers "
                "too (they try again): it has no filters by client, as Postfix has");
            plan_.advice.push_back(
                "while the relay is away mail waits in Sendmail's queue, until its next run "
                "(-q…); `sendmail -q` brings it forward");
        }
    }

    const Sendmail& sendmail_;
    const Wish& wish_;
    Step step_;
    SmartHost old_;
    Plan plan_;
};

}  // namespace

Plan plan_sendmail(const Sendmail& sendmail, const Wish& wish, Step step) {
    return Planner(sendmail, wish, step).make();
}

bool has_block(std::string_view mc) {
    return mc.find(begin_mark) != mc.npos;
}

std::string with_block(std::string_view mc, std::string_view block) {
    std::string text(mc);
    if (auto const begin = text.find(begin_mark); begin != text.npos) {
        auto const end = text.find(end_mark, begin);
        text.erase(begin, end == text.npos ? end : end + end_mark.size() - begin);
    }
    if (!block.empty() && !text.empty() && !text.ends_with('\n')) {
        text += '\n';
    }
    return text + std::string(block);
}

}  // namespace millrace::attach
