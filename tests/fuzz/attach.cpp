#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "common/config/load.hpp"
#include "relay/attach/plan.hpp"

namespace {

using namespace millrace;

attach::Wish wish() {
    attach::Wish wish;
    wish.settings = *config::parse("", "nothing");
    wish.socket = "/var/spool/postfix/millrace/milter.sock";
    wish.clients = "/etc/postfix/millrace-clients.cidr";
    wish.message_log = "/var/log/millrace/gate.jsonl";
    wish.password_file = "/etc/millrace/attached/smarthost.password";
    wish.handover_key = "/etc/millrace/attached/handover.key";
    return wish;
}

void judge(const attach::Plan& plan) {
    if (!config::parse(plan.settings, "attached.conf") && plan.obstacles.empty()) {
        std::abort();
    }
    for (auto const& change : plan.changes) {
        bool const option = change.where == attach::Change::Where::option;
        if (change.value.find('\n') != std::string::npos ||
            (option && change.value.find_first_of(" \t") != std::string::npos)) {
            std::abort();
        }
    }
}

}  // namespace

// Whatever postconf says: both plans are settings that the daemons read, or in the way,
// and changes that postconf
// takes. The input: what -x, -n, -F and -P say, divided by lines with `@`, and the smart host's
// login.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string const text(reinterpret_cast<const char*>(data), size);
    if (text.find('\0') != std::string::npos) {
        return 0;  // postconf writes text
    }
    std::string parts[5];
    for (std::size_t begin = 0, i = 0; begin < text.size() && i < 5; ++i) {
        auto const end = std::min(text.find("\n@\n", begin), text.size());
        parts[i] = text.substr(begin, end - begin);
        begin = end + 3;
    }
    auto postfix = attach::read_postfix("/etc/postfix", parts[0], parts[1], parts[2], parts[3]);
    postfix.login = parts[4].substr(0, parts[4].find('\n'));
    static auto const wanted = wish();
    judge(attach::plan_listening(postfix, wanted));
    judge(attach::plan_enforcing(postfix, wanted));
    return 0;
}
