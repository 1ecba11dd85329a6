#include "relay/attach/plan.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "common/config/load.hpp"
#include "common/mail/domain.hpp"
#include "relay/attach/attached_settings.hpp"
#include "relay/attach/setting_text.hpp"

namespace millrace::attach {
namespace {

using Where = Change::Where;

/// A receiver that cannot show who it is gets no mail.
bool is_verified(std::string_view level) {
    return level == "dane-only" || level == "secure" || level == "verify" || level == "fingerprint";
}

class Planner {
  public:
    Planner(const Postfix& postfix, const Wish& wish, Step step)
        : postfix_(postfix), wish_(wish), step_(step) {}

    Plan make() {
        look_for_obstacles();
        put_milter();
        if (step_ == Step::enforcing) {
            put_transport();
            route_mail();
        }
        describe_what_stays();
        write_settings();
        give_advice();
        return std::move(plan_);
    }

  private:
    void set(Where where, std::string name, std::string value) {
        plan_.changes.push_back({where, std::move(name), std::move(value)});
    }
    void main(std::string name, std::string value) {
        set(Where::main, std::move(name), std::move(value));
    }
    /// How smtp(8) sends: its own -o, else main.cf.
    std::string sending(const std::string& name) const {
        auto const* const smtp = postfix_.service("smtp/unix");
        return smtp == nullptr ? postfix_.get(name) : postfix_.get(name, *smtp);
    }
    std::string written(const std::string& name) const {
        auto const found = postfix_.written.find(name);
        return found == postfix_.written.end() ? std::string() : found->second;
    }

    // --- what cannot be -----------------------------------------------------------------------

    void look_for_obstacles() {
        for (auto const& [name, value] : postfix_.written) {
            if (name.starts_with(own_prefix) && step_ == Step::listening) {
                plan_.obstacles.push_back(fmt::format(
                    "main.cf has {} already, but there is no record of an attachment: take our "
                    "lines out of main.cf and master.cf by hand, then attach again",
                    name));
                return;
            }
        }
        look_at_settings(wish_, step_, plan_);
        auto const level = sending("smtp_tls_security_level");
        if (step_ == Step::enforcing && wish_.scope.domains.empty() && is_verified(level)) {
            plan_.obstacles.push_back(fmt::format(
                "smtp_tls_security_level = {}: the relay cannot promise that for every receiver "
                "yet; attach single destinations (--domain) or loosen it",
                level));
        }
        auto const deliver_by = written("default_transport");
        if (step_ == Step::enforcing && wish_.scope.whole() && !deliver_by.empty() &&
            deliver_by != "smtp" && deliver_by != "smtp:") {
            plan_.obstacles.push_back(fmt::format(
                "default_transport = {}: outgoing mail takes a way of its own already; attach "
                "single destinations (--domain) or senders (--sender)",
                deliver_by));
        }
    }

    // --- the gate -----------------------------------------------------------------------------

    /// How a milter is named in main.cf. While it only listens, a milter that is away changes
    /// nothing; once it acts, mail waits for it.
    std::string milter() const {
        auto const queue = postfix_.get("queue_directory") + "/";
        auto const path =
            wish_.socket.starts_with(queue) ? wish_.socket.substr(queue.size()) : wish_.socket;
        return fmt::format(
            "{{ unix:{}, connect_timeout=5s, command_timeout=10s, content_timeout=60s, "
            "protocol=6, default_action={} }}",
            path,
            step_ == Step::listening ? "accept" : "tempfail");
    }

    /// Ours first: what signs must see the header as we leave it.
    static std::string before(std::string first, const std::string& others) {
        return others.empty() ? first : first + ", " + others;
    }

    void put_milter() {
        main("millrace_milter", milter());
        main("non_smtpd_milters", before("$millrace_milter", existing("non_smtpd_milters")));
        plan_.passes.push_back("mail from programs of this machine (sendmail, cron)");
        for (auto const& door : doors_of(postfix_)) {
            auto const key = door.service->key();
            if (door.kind == Door::Kind::reinjection) {
                plan_.stays.push_back(
                    fmt::format("{}: what a content filter hands back; it was judged before", key));
            } else if (door.kind == Door::Kind::submission || door.logins) {
                auto const name = fmt::format("millrace_{}_milters", plain(door.service->name));
                main(name, before("$millrace_milter", existing("smtpd_milters", *door.service)));
                set(Where::option, key + "/smtpd_milters", "$" + name);
                plan_.passes.push_back(
                    door.kind == Door::Kind::submission
                        ? fmt::format("{}: mail of people and programs that log in", key)
                        : fmt::format("{}: mail of those who log in, or are in mynetworks; mail "
                                      "of strangers is seen and passes untouched",
                                      key));
            } else if (auto const maps = postfix_.get("smtpd_milter_maps", *door.service);
                       !maps.empty() && !is_ours(maps)) {
                plan_.stays.push_back(
                    fmt::format("{}: it has smtpd_milter_maps of its own, which are left alone; "
                                "mail of mynetworks that comes in there is not judged",
                                key));
            } else {
                // By client address: mail of strangers never meets the milter, even a dead one.
                set(Where::option,
                    key + "/smtpd_milter_maps",
                    "cidr:" + write_clients(*door.service));
                plan_.passes.push_back(fmt::format(
                    "{}: mail from mynetworks; mail of strangers never meets Millrace", key));
            }
        }
    }

    bool is_ours(const std::string& maps) const {
        return maps.starts_with("cidr:" + clients_stem());
    }
    std::string clients_stem() const { return wish_.clients.substr(0, wish_.clients.rfind('.')); }

    /// The file for this door: one for all of them, but milters of its own need a file of its own.
    /// Its values are no parameters: Postfix replaces no $name there.
    std::string write_clients(const Service& service) {
        std::string text =
            "# Written by `millrace attach`: whose mail the gate sees on port 25.\n"
            "# Everybody else's passes as if it were not there.\n";
        auto const all = before(milter(), postfix_.resolved(existing("smtpd_milters", service)));
        for (auto const& network : networks_of(postfix_).items) {
            text += fmt::format("{} {}\n", network, all);
        }
        for (auto const& [path, there] : plan_.files) {
            if (there == text) {
                return path;
            }
        }
        auto const path = plan_.files.empty()
                              ? wish_.clients
                              : fmt::format("{}-{}.cidr", clients_stem(), plain(service.name));
        plan_.files[path] = text;
        return path;
    }

    /// Milters that are there already, without ours.
    std::string existing(const std::string& name) const {
        return without_ours(written(name), name);
    }
    std::string existing(const std::string& name, const Service& service) const {
        auto const option = service.options.find(name);
        if (option == service.options.end()) {
            return without_ours(postfix_.get(name), name);
        }
        return without_ours(option->second, name);
    }
    std::string without_ours(const std::string& value, const std::string& name) const {
        std::string rest;
        for (auto const& element : elements(value)) {
            if (element == "$millrace_milter") {
                continue;
            }
            if (element.starts_with("$millrace_")) {
                return without_ours(written(element.substr(1)), name);
            }
            rest += (rest.empty() ? "" : ", ") + element;
        }
        return rest;
    }

    static std::string plain(std::string name) {
        std::ranges::replace_if(
            name, [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
        return name;
    }

    // --- the relay ----------------------------------------------------------------------------

    std::string next_hop() const {
        auto const* const listener = listener_of(*wish_.settings);
        return listener == nullptr
                   ? std::string()
                   : fmt::format("{}:[{}]:{}", transport, listener->address, listener->port);
    }

    void put_transport() {
        auto const* const smtp = postfix_.service("smtp/unix");
        auto const key = fmt::format("{}/unix", transport);
        set(Where::service,
            key,
            fmt::format("{} unix - - {} - - smtp",
                        transport,
                        smtp == nullptr || smtp->chroot.empty() ? "-" : smtp->chroot));
        // To loopback, whatever main.cf says of the way to the world.
        for (auto const& [name, value] : {std::pair{"syslog_name", "postfix/millrace"},
                                          {"smtp_send_xforward_command", "yes"},
                                          {"smtp_tls_security_level", "none"},
                                          {"smtp_tls_policy_maps", ""},
                                          {"smtp_sasl_auth_enable", "no"},
                                          {"smtp_bind_address", "127.0.0.1"},
                                          {"smtp_bind_address6", ""},
                                          {"inet_protocols", "ipv4"},
                                          {"smtp_fallback_relay", ""},
                                          {"smtp_connect_timeout", "30s"}}) {
            set(Where::option, key + "/" + name, value);
        }
    }

    void route_mail() {
        auto const to_us = next_hop();
        if (!wish_.scope.domains.empty()) {
            add_table("transport_maps", inline_table(wish_.scope.domains, "", to_us));
            plan_.passes.push_back(fmt::format("mail to {} is delivered by the relay",
                                               fmt::join(wish_.scope.domains, ", ")));
        } else if (!wish_.scope.senders.empty()) {
            keep_sender_hosts();
            add_table("sender_dependent_default_transport_maps",
                      inline_table(wish_.scope.senders, "@", to_us));
            plan_.passes.push_back(
                fmt::format("mail from {} to other domains is delivered by the relay",
                            fmt::join(wish_.scope.senders, ", ")));
        } else {
            main("default_transport", to_us);
            plan_.passes.push_back("mail to other domains is delivered by the relay");
            keep_sender_hosts();
        }
        keep_policies();
    }

    static std::string inline_table(const std::vector<std::string>& keys,
                                    std::string_view prefix,
                                    const std::string& value) {
        std::string text;
        for (auto const& key : keys) {
            text += fmt::format("{}{{{}{} = {}}}", text.empty() ? "" : ", ", prefix, key, value);
        }
        return "inline:{ " + text + " }";
    }

    /// Behind the tables that are there: they win.
    void add_table(const std::string& name, const std::string& table) {
        auto const there = std::ranges::find_if(plan_.changes, [&](const Change& change) {
            return change.where == Where::main && change.name == name;
        });
        if (there != plan_.changes.end()) {
            there->value += ", " + table;
        } else {
            auto const own = written(name);
            main(name, own.empty() ? table : own + ", " + table);
        }
    }

    /// A default_transport with a next hop overrules sender_dependent_relayhost_maps; whoever is in
    /// there keeps the transport that looks at them.
    void keep_sender_hosts() {
        for (auto const& table : elements(written("sender_dependent_relayhost_maps"))) {
            add_table("sender_dependent_default_transport_maps",
                      fmt::format("pipemap:{{{}, static:smtp}}", table));
        }
    }

    /// With a relayhost the policies are for it, and none for a destination is ever asked.
    void keep_policies() {
        if (!postfix_.get("relayhost").empty()) {
            if (!written("smtp_tls_policy_maps").empty()) {
                plan_.advice.push_back(fmt::format(
                    "smtp_tls_policy_maps = {}: what it asks of the smart host is not carried "
                    "over; if that is more than {}, say it in relay.routes",
                    written("smtp_tls_policy_maps"),
                    route_tls()));
            }
            return;
        }
        if (!wish_.scope.domains.empty()) {
            return;
        }
        for (auto const& table : elements(written("smtp_tls_policy_maps"))) {
            add_table("transport_maps", fmt::format("pipemap:{{{}, static:{{smtp:}}}}", table));
        }
    }

    // --- what is said -------------------------------------------------------------------------

    void describe_what_stays() {
        plan_.stays.push_back("mail that comes in for your own domains");
        if (!written("transport_maps").empty()) {
            plan_.stays.push_back(
                fmt::format("destinations in transport_maps ({})", written("transport_maps")));
        }
        if (!written("sender_dependent_relayhost_maps").empty()) {
            plan_.stays.push_back(fmt::format("senders with a smart host of their own ({})",
                                              written("sender_dependent_relayhost_maps")));
        }
        if (!written("sender_dependent_default_transport_maps").empty()) {
            plan_.stays.push_back(fmt::format("senders with a transport of their own ({})",
                                              written("sender_dependent_default_transport_maps")));
        }
        if (!written("smtp_tls_policy_maps").empty() && postfix_.get("relayhost").empty()) {
            plan_.stays.push_back(fmt::format(
                "destinations with a TLS policy ({}): Postfix keeps delivering to them itself",
                written("smtp_tls_policy_maps")));
        }
        if (auto const filter = postfix_.get("content_filter"); !filter.empty()) {
            plan_.stays.push_back(
                fmt::format("mail goes through the content filter ({}) first, as before", filter));
        }
    }

    void write_settings() {
        auto const networks = networks_of(postfix_);
        auto text = gate_settings("Postfix of " + postfix_.folder, wish_, step_, networks.items);
        if (step_ == Step::enforcing) {
            text += relay_settings();
        }
        plan_.settings = text;
        // A file that the daemons refuse must never be written: their next start would fail.
        if (auto const read = config::parse(text, "attached.conf"); !read) {
            plan_.obstacles.push_back(
                fmt::format("something in Postfix's configuration cannot be carried over: {}",
                            one_line(read.error().detail)));
        }
        if (!networks.opaque.empty()) {
            plan_.advice.push_back(
                fmt::format("mynetworks has {}, which cannot be carried over: mail of those "
                            "clients is judged only when they log in",
                            fmt::join(networks.opaque, ", ")));
        }
    }

    std::string relay_settings() {
        auto const domains = domains_of(postfix_);
        auto const back = address_of(postfix_);
        auto const name = sending("smtp_helo_name");
        std::string text = "relay = {\n";
        if (mail::is_host_name(name) && name.find('.') != std::string::npos) {
            text += fmt::format("  hostname = {};\n", config_string(name));
            plan_.carried.push_back(fmt::format("the name in EHLO: {}", name));
        } else {
            plan_.advice.push_back(
                fmt::format("smtp_helo_name = {} is no full host name, so it is not carried over; "
                            "the relay says the machine's name, or relay.hostname",
                            name));
        }
        text += fmt::format("  attached = {{ domains = {}; address = {}; port = {}; }};\n",
                            array(domains.items),
                            config_string(back.address),
                            back.port);
        if (!domains.opaque.empty()) {
            plan_.advice.push_back(fmt::format(
                "the domains in {} are not listed one by one: bounces for them go by MX",
                fmt::join(domains.opaque, ", ")));
        }
        if (!wish_.mail_log.empty()) {
            text += fmt::format("  mail_log = {};\n", config_string(wish_.mail_log));
        }
        text += source_settings();
        text += size_settings();
        text += route_settings();
        text += delivery_settings();
        text += fmt::format("  handover_key = {};\n  wake = {};\n}};\n",
                            config_string(wish_.handover_key),
                            array(wish_.wake));
        return text;
    }

    std::string source_settings() {
        std::string sources;
        for (auto const* name : {"smtp_bind_address", "smtp_bind_address6"}) {
            auto address = sending(name);
            std::erase_if(address, [](char c) { return c == '[' || c == ']'; });
            if (!address.empty() && address != "0.0.0.0" && address != "::") {
                sources += fmt::format(
                    "{}{{ address = {}; }}", sources.empty() ? "" : ", ", config_string(address));
                plan_.carried.push_back(fmt::format("the address mail leaves from: {}", address));
            }
        }
        return sources.empty() ? std::string() : fmt::format("  sources = ( {} );\n", sources);
    }

    std::string size_settings() {
        return attach::size_settings(
            std::strtoull(postfix_.get("message_size_limit").c_str(), nullptr, 10), wish_, plan_);
    }

    std::string_view route_tls() const {
        auto const level = sending("smtp_tls_security_level");
        return is_verified(level)                              ? "verify"
               : !postfix_.login.empty() || level == "encrypt" ? "encrypt"
               : level == "none"                               ? "none"
                                                               : "may";
    }

    std::string route_settings() {
        auto const host = relayhost_of(postfix_);
        if (host.host.empty()) {
            return {};
        }
        auto const level = sending("smtp_tls_security_level");
        bool const login = !postfix_.login.empty();
        std::string text =
            fmt::format("  routes = ( {{ domain = \"*\"; host = {}; port = {}; tls = \"{}\";",
                        config_string(host.host),
                        host.port,
                        route_tls());
        if (host.others) {
            plan_.advice.push_back(fmt::format("relayhost = {}: only the first is carried over",
                                               postfix_.get("relayhost")));
        }
        plan_.carried.push_back(fmt::format("the smart host: {}:{}", host.host, host.port));
        if (login) {
            auto const colon = postfix_.login.find(':');
            text += fmt::format(" user = {}; password_file = {};",
                                config_string(postfix_.login.substr(0, colon)),
                                config_string(wish_.password_file));
            plan_.password = postfix_.login.substr(std::min(colon, postfix_.login.size() - 1) + 1);
            plan_.carried.push_back("the login at the smart host");
            if (level != "encrypt" && !is_verified(level)) {
                plan_.advice.push_back(
                    "the password of the smart host goes over TLS only (tls = \"encrypt\"), though "
                    "Postfix would have sent it in clear");
            }
        }
        if (host.by_mx) {
            plan_.advice.push_back(
                fmt::format("relayhost = {} without brackets means its MX; the relay connects to "
                            "the host of that name",
                            postfix_.get("relayhost")));
        }
        return text + " } );\n";
    }

    std::string delivery_settings() {
        std::string text;
        auto const level = sending("smtp_tls_security_level");
        if (is_verified(level)) {  // of single destinations only: see the obstacles
            text += " tls = \"verify\";";
            plan_.carried.push_back("TLS with a certificate that is checked against the name");
        } else if (level == "encrypt") {
            text += " tls = \"encrypt\";";
            plan_.carried.push_back("TLS towards every receiver (encrypt)");
        } else if (level == "dane") {
            plan_.advice.push_back(
                "smtp_tls_security_level = dane: the relay encrypts when it can, but does not "
                "check DANE yet. Destinations that must be checked: put them into "
                "smtp_tls_policy_maps, they stay on Postfix");
        }
        auto const protocols = elements(sending("inet_protocols"));
        bool const six = std::ranges::any_of(
            protocols, [](const std::string& p) { return p == "ipv6" || p == "all"; });
        if (six && !sending("smtp_bind_address6").empty()) {
            text += " ipv6 = true;";
            plan_.carried.push_back("IPv6");
        } else if (six) {
            plan_.advice.push_back(
                "Postfix sends over IPv6 too; the relay does so only when told "
                "(relay.delivery.ipv6): its address needs a reverse record first");
        }
        return text.empty() ? text : fmt::format("  delivery = {{{} }};\n", text);
    }

    /// What was said at the first step is not said again at the second.
    void give_advice() {
        if (step_ == Step::enforcing) {
            plan_.advice.push_back(fmt::format(
                "mail from sendmail(1) (cron, PHP's mail()) names no login: together it is limited "
                "to {} recipients an hour and waits beyond that; "
                "relay.limits.unattributed_per_hour",
                wish_.settings->relay.limits.unattributed_per_hour));
            auto const warned = postfix_.get("delay_warning_time");
            plan_.advice.push_back(
                fmt::format("the relay gives mail up after {} and tells senders nothing before "
                            "that (Postfix: {}, "
                            "{}); see relay.delivery",
                            config::print_duration(wish_.settings->relay.delivery.expire_after),
                            postfix_.get("maximal_queue_lifetime"),
                            warned.starts_with("0") ? std::string("no notice of a delay either")
                                                    : "notice of a delay after " + warned));
            return;
        }
        if (postfix_.get("smtpd_forbid_bare_newline") == "no") {
            plan_.advice.push_back(
                "smtpd_forbid_bare_newline = normalize: today a bare LF from a client makes two "
                "header lines of one, before any milter sees them");
        }
        bool const submission = postfix_.service("submission/inet") != nullptr;
        if (postfix_.yes("smtputf8_enable") && submission) {
            plan_.advice.push_back(
                "-o smtpd_discard_ehlo_keywords=smtputf8 for submission: a client that asks for "
                "SMTPUTF8 binds Postfix to receivers that offer it, even after the Subject was "
                "encoded");
        }
        if (postfix_.get("undisclosed_recipients_header").empty()) {
            plan_.advice.push_back(
                "mail with Bcc only has no To: the gate refuses that (H02) once it acts; "
                "undisclosed_recipients_header = To: undisclosed-recipients:; mends it in Postfix");
        }
    }

    const Postfix& postfix_;
    const Wish& wish_;
    Step step_;
    Plan plan_;
};

}  // namespace

Plan plan_listening(const Postfix& postfix, const Wish& wish) {
    return Planner(postfix, wish, Step::listening).make();
}

Plan plan_enforcing(const Postfix& postfix, const Wish& wish) {
    return Planner(postfix, wish, Step::enforcing).make();
}

}  // namespace millrace::attach
