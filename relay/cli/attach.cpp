#include "relay/cli/attach.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "relay/attach/relay_unit.hpp"
#include "relay/cli/json_view.hpp"
#include "relay/cli/question.hpp"

namespace millrace::relay {
namespace {

constexpr std::string_view attach_help =
    "usage: millrace attach postfix [--config-dir DIR] [--sender DOMAIN…] [--domain DOMAIN…]\n"
    "                               [--print] [--yes] [--json]\n"
    "       millrace attach sendmail [--mc FILE] [--cf FILE] [--print] [--yes] [--json]\n"
    "       millrace attach report [--json]\n"
    "       millrace attach enforce [--yes] [--json]\n"
    "       millrace attach status [--json]\n\n"
    "Joins Millrace to a mail server that is in use, in two steps, each of which can be taken "
    "back:\n\n"
    "  1. `attach postfix`   the gate listens (report-only). Not a byte of any message changes, "
    "and\n"
    "     `attach sendmail`  the mail server goes on delivering by itself. A gate that is away "
    "delays\n"
    "                        nothing.\n"
    "  2. `attach report`    after an hour or a day: what the gate would have refused or mended, "
    "by\n"
    "                        rule and sender; which From domains were seen.\n"
    "  3. `attach enforce`   the gate acts, and the relay delivers what leaves for other domains.\n"
    "     `millrace detach`  puts the old configuration back, byte for byte.\n\n"
    "Mail that comes in for your own domains never goes through Millrace. What was changed is "
    "kept in\n"
    "`attached/` beside the configuration file, what was found out in `attached.conf`.\n\n"
    "  --config-dir DIR   Postfix's configuration (default: the one postconf names)\n"
    "  --mc FILE          Sendmail's configuration (default: /etc/mail/sendmail.mc)\n"
    "  --cf FILE          what m4 makes of it (default: beside it, .cf)\n"
    "  --sender DOMAIN    only mail from this domain; several times; Postfix only\n"
    "  --domain DOMAIN    only mail to this domain; several times; Postfix only\n"
    "  --print            write the change as commands and files, change nothing (Ansible, "
    "panels)\n"
    "  --report-only      what it does anyway at first; for scripts that want to say so\n"
    "  --yes              do not ask\n\n"
    "exit codes: 0 done, 1 refused or not attached, 64 usage, 69 milter or relay not reached,\n"
    "            75 something is in the way (nothing was changed), 78 configuration\n\n"
    "examples:\n"
    "  millrace attach postfix --print            what would it do?\n"
    "  sudo millrace attach postfix\n"
    "  millrace attach report\n"
    "  sudo millrace attach enforce\n"
    "  sudo millrace attach postfix --sender shop.example --yes\n"
    "  sudo millrace attach sendmail --mc /etc/mail/sendmail.mc\n";

/// Whether to go on; otherwise exit_code says how to leave.
bool confirmed(const Session& session,
               const Arguments& arguments,
               std::string_view question,
               int& exit_code) {
    if (arguments.has("--yes")) {
        return true;
    }
    if (session.json) {
        exit_code = complain_usage("attach", "--json asks nothing: say --yes, or --print to look");
        return false;
    }
    switch (ask(question)) {
        case Answered::yes:
            return true;
        case Answered::no:
            fmt::print("nothing was changed\n");
            exit_code = config::exit_negative;
            return false;
        case Answered::nobody_there:
            break;
    }
    exit_code = complain_usage("attach", "nobody is there to ask: say --yes, or --print to look");
    return false;
}

attach::Scope scope_of(const Arguments& arguments) {
    return {arguments.list("--sender"), arguments.list("--domain")};
}

boost::json::array texts(const std::vector<std::string>& from) {
    boost::json::array all;
    for (auto const& text : from) {
        all.emplace_back(text);
    }
    return all;
}

void print_json(const attach::Plan& plan, bool done, std::string_view step) {
    boost::json::array changes;
    for (auto const& change : plan.changes) {
        changes.push_back(boost::json::object{{"name", change.name}, {"value", change.value}});
    }
    fmt::print("{}\n",
               boost::json::serialize(boost::json::object{{"step", step},
                                                          {"done", done},
                                                          {"passes", texts(plan.passes)},
                                                          {"stays", texts(plan.stays)},
                                                          {"carried", texts(plan.carried)},
                                                          {"advice", texts(plan.advice)},
                                                          {"obstacles", texts(plan.obstacles)},
                                                          {"changes", changes}}));
}

/// For Ansible or a panel: everything the step does, as text.
void print_commands(const attach::Attachment& attachment, const attach::Plan& plan) {
    auto const file = [](const std::string& path, const std::string& text) {
        fmt::print("\n# {}\ncat > {} <<'MILLRACE'\n{}MILLRACE\n", path, path, text);
    };
    fmt::print("# what `millrace attach` would do; nothing was changed\n");
    file(attachment.settings_file(), plan.settings);
    for (auto const& [path, text] : plan.files) {
        file(path, text);
    }
    if (!plan.password.empty()) {
        fmt::print("\n# and the password of the smart host into the password_file above (0640)\n");
    }
    fmt::print("{}", attachment.server().as_commands(plan.changes));
}

int run_attach(const Session& session, const Arguments& arguments) {
    auto const word = arguments.words.empty() ? std::string() : arguments.words.front();
    if (arguments.words.size() > 1) {
        return complain_usage("attach", "what is " + arguments.words[1] + "?");
    }
    if (word == "postfix") {
        return attach_postfix(session, arguments);
    }
    if (word == "sendmail") {
        return attach_sendmail(session, arguments);
    }
    if (word == "report") {
        return attach_report(session, arguments);
    }
    if (word == "enforce") {
        return attach_enforce(session, arguments);
    }
    if (word == "status") {
        return attach_status(session, arguments);
    }
    return complain_usage("attach",
                          word.empty()
                              ? "attach what? postfix or sendmail; then report, enforce, status"
                              : "what is " + word + "?");
}

}  // namespace

Result<config::Snapshot> settings_for(const Session& session) {
    auto settings = config::load(session.file, session.missing);
    if (!settings) {
        return failure(Fault::corrupt, settings.error().detail);
    }
    return settings;
}

attach::RelayDoor relay_door(const Session& session) {
    return {.answers = [session]() -> Result<void> {
                auto const answer = ask_relay(session, {{"command", "status"}});
                if (!answer) {
                    return std::unexpected(answer.error());
                }
                auto const& status = answer->items.empty() ? answer->end : answer->items.front();
                if (status.contains("accepting") && !flag_of(status, "accepting")) {
                    return failure(Fault::unavailable,
                                   "the relay takes no mail: " + text_of(status, "why_not"));
                }
                return {};
            },
            .reload = [session]() -> Result<void> {
                auto const settings = settings_for(session);
                if (session.file == config::default_file && settings && attach::relay_is_unit()) {
                    return attach::restart_relay_unit(!(*settings)->relay.wake.empty());
                }
                auto const answer = ask_relay(session, {{"command", "reload"}});
                return answer ? Result<void>() : std::unexpected(answer.error());
            }};
}

std::string view_plan(const attach::Plan& plan, const Style& style) {
    std::string text;
    auto const part = [&](std::string_view title, const std::vector<std::string>& lines) {
        if (lines.empty()) {
            return;
        }
        text += paint(style, Colour::bold, title) + "\n";
        for (auto const& line : lines) {
            text += "  " + harmless(line) + "\n";
        }
    };
    part("through Millrace", plan.passes);
    part("not through Millrace", plan.stays);
    part("taken over from the mail server", plan.carried);
    part("worth knowing", plan.advice);
    part("in the way", plan.obstacles);
    return text;
}

/// Step one, for either mail server.
int attach_to(const Session& session, const Arguments& arguments, const attach::Target& target) {
    auto const settings = settings_for(session);
    if (!settings) {
        return complain(settings.error());
    }
    auto attachment = attach::Attachment::open(session.file, *settings, target);
    if (!attachment) {
        return refuse_machine(attachment.error());
    }
    if (attachment->record()) {
        auto const& record = *attachment->record();
        fmt::print(stderr,
                   "millrace: attached already: to the {}, since {} ({}); next: {}\n"
                   "nothing was changed\n",
                   attach::title(record),
                   record.since,
                   attach::to_string(record.step),
                   record.step == attach::Record::Step::listening
                       ? "millrace attach report, then millrace attach enforce"
                       : "millrace detach");
        return config::exit_negative;
    }
    auto const plan = attachment->plan(scope_of(arguments));
    if (!plan) {
        return refuse_machine(plan.error());
    }
    if (arguments.has("--print")) {
        session.json ? print_json(*plan, false, "listening") : print_commands(*attachment, *plan);
        return plan->obstacles.empty() ? config::exit_done : config::exit_negative;
    }
    if (!session.json) {
        fmt::print("the {}\n\n{}\n", attachment->server().title(), view_plan(*plan, session.style));
    }
    if (!plan->obstacles.empty()) {
        return refuse_machine({Fault::invalid, "not attached: " + plan->obstacles.front()});
    }
    int exit_code = config::exit_done;
    if (!confirmed(session,
                   arguments,
                   "Let the gate listen? No message changes, the mail server delivers as before.",
                   exit_code)) {
        return exit_code;
    }
    if (auto done = attachment->listen(*plan, session.now); !done) {
        return refuse_machine(done.error());
    }
    if (session.json) {
        print_json(*plan, true, "listening");
        return config::exit_done;
    }
    fmt::print(
        "attached: the gate listens and changes nothing\n"
        "next: millrace attach report, after an hour or a day\n");
    return config::exit_done;
}

int attach_postfix(const Session& session, const Arguments& arguments) {
    if (!arguments.list("--mc").empty() || !arguments.list("--cf").empty()) {
        return complain_usage("attach", "--mc and --cf are Sendmail's: millrace attach sendmail");
    }
    return attach_to(session, arguments, {"postfix", arguments.value("--config-dir"), {}});
}

int attach_sendmail(const Session& session, const Arguments& arguments) {
    for (auto const* option : {"--config-dir", "--sender", "--domain"}) {
        if (!arguments.list(option).empty()) {
            return complain_usage("attach", std::string(option) + " is there for Postfix only");
        }
    }
    return attach_to(
        session, arguments, {"sendmail", arguments.value("--mc"), arguments.value("--cf")});
}

int attach_enforce(const Session& session, const Arguments& arguments) {
    auto const settings = settings_for(session);
    if (!settings) {
        return complain(settings.error());
    }
    auto attachment = attach::Attachment::open(session.file, *settings, {});
    if (!attachment) {
        return refuse_machine(attachment.error());
    }
    auto const& record = attachment->record();
    if (!record || record->step != attach::Record::Step::listening) {
        fmt::print(stderr,
                   "millrace: {}\nnothing was changed\n",
                   !record ? "not attached: first millrace attach postfix, then look at the report"
                   : record->step == attach::Record::Step::enforcing
                       ? "enforced already, since the gate acts and the relay delivers"
                       : "detached, and the relay still drains: millrace detach ends that");
        return config::exit_negative;
    }
    auto const plan = attachment->plan({});
    if (!plan) {
        return refuse_machine(plan.error());
    }
    if (arguments.has("--print")) {
        session.json ? print_json(*plan, false, "enforcing") : print_commands(*attachment, *plan);
        return plan->obstacles.empty() ? config::exit_done : config::exit_negative;
    }
    if (!session.json) {
        fmt::print("{}\n", view_plan(*plan, session.style));
    }
    if (!plan->obstacles.empty()) {
        return refuse_machine({Fault::invalid, "not enforced: " + plan->obstacles.front()});
    }
    int exit_code = config::exit_done;
    if (!confirmed(session, arguments, "Let the gate act and the relay deliver?", exit_code)) {
        return exit_code;
    }
    if (auto done = attachment->enforce(*plan, relay_door(session)); !done) {
        return refuse_machine(done.error());
    }
    if (session.json) {
        print_json(*plan, true, "enforcing");
        return config::exit_done;
    }
    fmt::print(
        "enforced: the gate mends and refuses, the relay delivers\n"
        "look: millrace, millrace events -f    back: millrace detach\n");
    return config::exit_done;
}

int attach_status(const Session& session, const Arguments&) {
    auto const record = attach::read_record(attach::record_folder(session.file));
    if (!record) {
        return refuse_machine(record.error());
    }
    bool const attached = record->has_value();
    auto const step = attached ? attach::to_string((*record)->step) : std::string("none");
    if (session.json) {
        fmt::print("{}\n",
                   boost::json::serialize(boost::json::object{
                       {"attached", attached},
                       {"step", step},
                       {"mta", attached ? (*record)->mta : ""},
                       {"config_dir", attached ? (*record)->folder : ""},
                       {"since", attached ? (*record)->since : ""},
                       {"senders",
                        texts(attached ? (*record)->scope.senders : std::vector<std::string>{})},
                       {"domains",
                        texts(attached ? (*record)->scope.domains : std::vector<std::string>{})}}));
        return attached ? config::exit_done : config::exit_negative;
    }
    if (!attached) {
        fmt::print("not attached\nnext: millrace attach postfix\n");
        return config::exit_negative;
    }
    fmt::print("{}: {}, since {}\n",
               attach::title(**record),
               step == "listening"   ? "the gate listens, nothing is changed"
               : step == "enforcing" ? "the gate acts and the relay delivers"
                                     : "detached; the relay still drains",
               (*record)->since);
    return config::exit_done;
}

Command attach_command() {
    return {"attach",
            "join a mail server that is in use: listen, report, enforce",
            attach_help,
            {{"--config-dir", true},
             {"--sender", true},
             {"--domain", true},
             {"--mc", true},
             {"--cf", true},
             {"--print", false},
             {"--report-only", false},
             {"--yes", false, "-y"}},
            run_attach};
}

}  // namespace millrace::relay
