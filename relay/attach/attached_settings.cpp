#include "relay/attach/attached_settings.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "common/config/load.hpp"
#include "relay/attach/setting_text.hpp"

namespace millrace::attach {

const config::Listener* listener_of(const config::Settings& settings) {
    auto const& all = settings.relay.listeners;
    auto const found = std::ranges::find_if(all, [](const config::Listener& listener) {
        return listener.profile == config::Profile::attached;
    });
    return found == all.end() ? nullptr : &*found;
}

void look_at_settings(const Wish& wish, Step step, Plan& plan) {
    bool const enforces = wish.settings->gate.mode == policy::Mode::enforce;
    if (wish.mode_given && step == Step::listening && enforces) {
        plan.obstacles.push_back(
            "the configuration file itself says gate.mode = \"enforce\", so the gate would act "
            "at once: take that line out, attach sets the mode");
    } else if (wish.mode_given && step == Step::enforcing && !enforces) {
        plan.advice.push_back(
            "the configuration file itself says gate.mode = \"report-only\": the relay "
            "delivers, and the gate goes on changing nothing");
    }
    if (listener_of(*wish.settings) == nullptr) {
        plan.obstacles.push_back(
            "no listener of the relay has the profile `attached`: the mail server needs one to "
            "hand its mail to; see relay.listeners");
    }
}

std::string gate_settings(const std::string& title,
                          const Wish& wish,
                          Step step,
                          const std::vector<std::string>& trusted) {
    auto text = fmt::format(
        "# Written by `millrace attach` for the {}.\n"
        "# Read beneath millrace.conf, which wins. `millrace detach` takes it away.\n"
        "milter = {{\n{}  trusted = {};\n  message_log = {};\n",
        one_line(title),
        wish.socket_given ? std::string()
                          : fmt::format("  socket = {};\n", config_string("unix:" + wish.socket)),
        // An empty list would mean its default, loopback; nobody connects from this address.
        array(trusted.empty() ? std::vector<std::string>{"255.255.255.255/32"} : trusted),
        config_string(wish.message_log));
    if (!wish.scope.senders.empty()) {
        text += fmt::format("  only_from = {};\n", array(wish.scope.senders));
    }
    if (!wish.scope.domains.empty()) {
        text += fmt::format("  only_to = {};\n", array(wish.scope.domains));
    }
    if (step == Step::enforcing) {
        text += fmt::format("  handover_key = {};\n", config_string(wish.handover_key));
    }
    return text + fmt::format("}};\ngate = {{ mode = \"{}\"; }};\n",
                              step == Step::listening ? "report-only" : "enforce");
}

std::string size_settings(std::uint64_t limit, const Wish& wish, Plan& plan) {
    constexpr std::uint64_t most = std::uint64_t{1024} << 20;
    limit = limit == 0 ? most : std::min(limit, most);
    // Rounded up, and a little more: Millrace adds fields of its own.
    auto const wanted = ((limit + (std::uint64_t{2} << 20)) >> 20) << 20;
    if (wanted <= wish.settings->relay.limits.message_size) {
        return {};
    }
    auto const size = config::print_size(std::min(wanted, most));
    plan.carried.push_back(fmt::format("the size limit: {}", size));
    return fmt::format("  limits = {{ message_size = \"{}\"; }};\n", size);
}

}  // namespace millrace::attach
