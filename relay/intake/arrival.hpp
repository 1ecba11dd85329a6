#pragma once

#include <string>

#include "common/config/settings.hpp"
#include "common/net/endpoint.hpp"
#include "common/net/stream.hpp"
#include "common/smtp/server_session.hpp"
#include "relay/intake/attribution.hpp"
#include "relay/intake/pace.hpp"
#include "relay/prepare/prepare.hpp"
#include "relay/spool/spool.hpp"

/// From what an SMTP session has gathered to what the rest of the relay works with. Pure.
namespace millrace::relay {

/// Everything known about a message besides its bytes.
struct Reception {
    const smtp::ServerTransaction& transaction;
    const smtp::Forwarded& forwarded;
    const config::Settings& settings;
    const config::Listener& listener;
    Endpoint client;
    bool trusted = false;
    std::string helo;
    bool extended = false;
    std::optional<TlsInfo> tls;
    const std::optional<handover::Handover>& handed;  ///< by the milter, and believed
    MessageId id;
    Time now{};   ///< of the project's time line
    Time wall{};  ///< what the wall clock says
};

/// Who the message came from, for logs: of an attached MTA that told it, the MTA's client, else our
/// own: `name [192.0.2.1]`.
std::string client_text(const smtp::Forwarded& forwarded, const Endpoint& client);

/// The account of mail that nobody has put a name to.
constexpr std::string_view unattributed = "local";

/// Whether this listener believes the milter, and limits who comes without its word.
bool believes_handovers(const config::Settings& settings, const config::Listener& listener);

/// Where a recipient's domain is queued: lower-case A-label; an address literal in brackets; our
/// own name for `<Postmaster>`.
std::string destination_of(const mail::Path& path, const std::string& hostname);

/// Arrival::invention is left to the caller, who owns its bytes.
Arrival make_arrival(const Reception& reception, std::string message);
/// What prepare() is told about this listener. `settings` outlives the rules.
Rules rules_of(const config::Settings& settings, const config::Listener& listener);
/// One piece of work per recipient, due at once.
NewMail new_mail(Prepared prepared, Time now);
/// Gives each recipient its moment. What has to wait says why in its last reply, so that the reason
/// is there after a restart too. Returns how many wait.
std::size_t slow_down(NewMail& mail, Pace& pace, Time now);

}  // namespace millrace::relay
