#include <cstdio>
#include <fmt/format.h>
#include <poll.h>

#include <boost/json.hpp>

#include "relay/cli/attach.hpp"
#include "relay/cli/export.hpp"
#include "relay/cli/json_view.hpp"
#include "relay/cli/question.hpp"

namespace millrace::relay {
namespace {

constexpr std::string_view detach_help =
    "usage: millrace detach [--wait | --hand-back | --export DIR | --leave] [--yes] [--json]\n\n"
    "Gives the mail server its configuration back, byte for byte; mail that comes from now on goes "
    "its\n"
    "old way. If a file was edited by hand meanwhile only Millrace's settings are taken out of it, "
    "and\n"
    "that is said.\n\n"
    "What the relay has taken over it goes on delivering. When its queue is empty, `millrace "
    "detach`\n"
    "once more takes the last traces away (settings, socket, record). Until then:\n\n"
    "  --wait        stay until the queue is empty, with progress, and take the traces away\n"
    "  --hand-back   the relay hands what remains to the mail server, which delivers it; each "
    "message is\n"
    "                the relay's until the mail server has answered 250\n"
    "  --export DIR  write what remains into DIR (one .eml and one envelope file per message) and\n"
    "                take it out of the queue\n"
    "  --leave       take the traces away although mail remains; the relay delivers it by its own\n"
    "                settings\n"
    "  --yes         do not ask\n\n"
    "examples:\n"
    "  sudo millrace detach --wait\n"
    "  sudo millrace detach --export /root/left-over --yes\n";

constexpr int look_every_milliseconds = 500;
constexpr int hold_looks = 240;  // two minutes

struct Rest {
    std::uint64_t queued = 0;  ///< recipients, held ones included
    std::uint64_t held = 0;
};

Result<Rest> rest_of(const Session& session) {
    auto const answer = ask_relay(session, {{"command", "status"}});
    if (!answer) {
        return std::unexpected(answer.error());
    }
    auto const& status = answer->items.empty() ? answer->end : answer->items.front();
    return Rest{number_of(status, "queued"), number_of(status, "held")};
}

/// Until nothing is queued any more; says how much is left. Failure (invalid): what is left is
/// held.
Result<void> drain(const Session& session) {
    bool const shown = stderr_is_terminal();
    for (std::uint64_t before = 0;;) {
        auto const left = rest_of(session);
        if (!left) {
            return std::unexpected(left.error());
        }
        if (shown) {
            fmt::print(stderr, "\r\033[K");
        }
        if (left->queued == 0) {
            return {};
        }
        if (left->queued == left->held) {
            return failure(Fault::invalid,
                           fmt::format("{} held and will not leave by themselves: millrace release "
                                       "--all, or remove, bounce or export them",
                                       left->held == 1 ? "1 recipient is"
                                                       : grouped(left->held) + " recipients are"));
        }
        if (shown && left->queued != before) {
            fmt::print(stderr, "{} to deliver", count_of(left->queued, "recipient"));
            std::fflush(stderr);
            before = left->queued;
        }
        ::poll(nullptr, 0, look_every_milliseconds);
    }
}

/// Holds all that waits, again and again until no delivery is under way that might put something
/// back; what a server keeps hanging for longer is left to the caller.
Result<void> hold_still(const Session& session) {
    for (int looks = 0; looks < hold_looks; ++looks) {
        auto const held = ask_relay(session, {{"command", "hold"}, {"all", true}});
        if (!held && held.error().fault != Fault::not_found) {
            return std::unexpected(held.error());
        }
        auto const left = rest_of(session);
        if (!left) {
            return std::unexpected(left.error());
        }
        if (left->queued == left->held) {
            return {};
        }
        ::poll(nullptr, 0, look_every_milliseconds);
    }
    return {};
}

/// What waits becomes files, and leaves the queue once they are durable.
int export_rest(const Session& session, const std::string& folder) {
    if (auto held = hold_still(session); !held) {
        return complain(held.error());
    }
    auto const done = export_mail(session, {folder, {}, {}, true});
    if (!done) {
        return complain(done.error());
    }
    if (!session.json) {
        fmt::print("exported to {}: {}, {} taken out of the queue\n",
                   folder,
                   count_of(done->messages, "message"),
                   count_of(done->removed, "recipient"));
    }
    return config::exit_done;
}

/// The relay delivers everything to the mail server beside it: by its own custody, so nothing is
/// lost or doubled on the way. The settings stay until forget().
Result<void> hand_back(const Session& session, const config::Settings& settings) {
    if (config::mentions(session.file, "relay.routes")) {
        return failure(Fault::invalid,
                       session.file +
                           " has relay.routes of its own, which would win over the way back: take "
                           "them out first, or use --wait");
    }
    auto const& mta = settings.relay.attached;
    auto const text = fmt::format(
        "# Written by `millrace detach --hand-back`: what is left goes to the mail server.\n"
        "relay = {{ hostname = \"{}\";\n"
        "  routes = ( {{ domain = \"*\"; host = \"{}\"; port = {}; tls = \"none\"; }} );\n"
        "  attached = {{ address = \"{}\"; port = {}; }}; }};\n",
        settings.relay.hostname,
        mta.address,
        mta.port,
        mta.address,
        mta.port);
    auto const file = config::attached_file(session.file);
    if (auto done = attach::write_whole(file, text, 0644, 0, 0); !done) {
        return done;
    }
    if (auto done = relay_door(session).reload(); !done) {
        return done;
    }
    // A pause that another server asked for does not hold for this one.
    auto const retried = ask_relay(session, {{"command", "retry"}, {"all", true}});
    return retried || retried.error().fault == Fault::not_found ? Result<void>()
                                                                : std::unexpected(retried.error());
}

bool confirmed(const Arguments& arguments, int& exit_code) {
    if (arguments.has("--yes")) {
        return true;
    }
    auto const answered = ask("Give the mail server its old configuration back?");
    if (answered == Answered::yes) {
        return true;
    }
    if (answered == Answered::nobody_there) {
        exit_code = complain_usage("detach", "nobody is there to ask: say --yes");
    } else {
        fmt::print("nothing was changed\n");
        exit_code = config::exit_negative;
    }
    return false;
}

struct Told {
    attach::Given given;
    std::uint64_t left = 0;
    bool relay_known = true;
    bool traceless = false;
};

void tell(const Session& session, const Told& told) {
    auto const list = [](const std::vector<std::string>& files) {
        boost::json::array all;
        for (auto const& file : files) {
            all.emplace_back(file);
        }
        return all;
    };
    if (session.json) {
        fmt::print(
            "{}\n",
            boost::json::serialize(boost::json::object{{"restored", list(told.given.restored)},
                                                       {"mended", list(told.given.mended)},
                                                       {"queued", told.left},
                                                       {"relay_reached", told.relay_known},
                                                       {"traces_left", !told.traceless}}));
        return;
    }
    for (auto const& file : told.given.restored) {
        fmt::print("restored byte for byte: {}\n", file);
    }
    for (auto const& file : told.given.mended) {
        fmt::print("edited by hand since: {}; only our settings were taken out\n", file);
    }
    if (told.traceless) {
        fmt::print("detached: nothing of Millrace is left in the mail server's configuration\n");
    } else if (!told.relay_known) {
        fmt::print(
            "the relay does not answer, so what it still has is not known: start it, and "
            "`millrace detach` again when `millrace` says the queue is empty\n");
    } else {
        fmt::print(
            "{} still in the relay, which goes on delivering (`millrace queue`); "
            "`millrace detach` again when it is empty, or --wait, --export DIR\n",
            told.left == 1 ? "1 recipient is" : grouped(told.left) + " recipients are");
    }
}

int run_detach(const Session& session, const Arguments& arguments) {
    if (!arguments.words.empty()) {
        return complain_usage("detach", "it takes no argument");
    }
    auto const settings = settings_for(session);
    if (!settings) {
        return complain(settings.error());
    }
    auto attachment = attach::Attachment::open(session.file, *settings, {});
    if (!attachment) {
        return refuse_machine(attachment.error());
    }
    if (!attachment->record()) {
        fmt::print(stderr, "millrace: not attached: there is nothing to detach\n");
        return config::exit_negative;
    }
    Told told;
    if (attachment->record()->step != attach::Record::Step::detached) {
        int exit_code = config::exit_done;
        if (!confirmed(arguments, exit_code)) {
            return exit_code;
        }
        auto given = attachment->give_back();
        if (!given) {
            return refuse_machine(given.error());
        }
        told.given = std::move(*given);
    }
    if (auto const folder = arguments.value("--export"); !folder.empty()) {
        if (auto const code = export_rest(session, folder); code != config::exit_done) {
            return code;
        }
    }
    if (arguments.has("--hand-back")) {
        if (auto done = hand_back(session, **settings); !done) {
            return refuse_machine(done.error());
        }
    }
    if (arguments.has("--wait") || arguments.has("--hand-back")) {
        if (auto done = drain(session); !done) {
            return complain(done.error());
        }
    }
    auto const left = rest_of(session);
    told.relay_known = left.has_value();
    told.left = left ? left->queued : 0;
    if ((told.relay_known && told.left == 0) || arguments.has("--leave")) {
        if (auto done = attachment->forget(relay_door(session)); !done) {
            return refuse_machine(done.error());
        }
        told.traceless = true;
    }
    tell(session, told);
    return config::exit_done;
}

}  // namespace

Command detach_command() {
    return {"detach",
            "give the mail server its old configuration back",
            detach_help,
            {{"--wait", false},
             {"--hand-back", false},
             {"--export", true},
             {"--leave", false},
             {"--yes", false, "-y"}},
            run_detach};
}

}  // namespace millrace::relay
