#include "milter/libmilter_adapter.hpp"

#include <array>
#include <fmt/format.h>
#include <memory>
#include <vector>

#include <libmilter/mfapi.h>

#include "common/net/random.hpp"

namespace millrace::milter {
namespace {

/// libmilter's callbacks carry no user data, so the process has one service.
Service* service = nullptr;

/// Edits only; the envelope, the body and the recipients are never ours to change.
constexpr unsigned long actions = SMFIF_ADDHDRS | SMFIF_CHGHDRS;
constexpr unsigned long not_wanted =
    SMFIP_NOHELO | SMFIP_NOUNKNOWN | SMFIP_NODATA | SMFIP_NOEOH | SMFIP_NOBODY;
/// No reply but the one at end-of-message: one round trip per message. The same for all sessions,
/// except SMFIP_NR_CONN (libmilter keeps process-wide what steps it expects, not who replies).
constexpr unsigned long no_reply = SMFIP_NR_MAIL | SMFIP_NR_RCPT | SMFIP_NR_HDR;
constexpr unsigned long protocol = SMFIP_HDR_LEADSPC | not_wanted | no_reply;

/// What libmilter keeps for us per connection.
struct Held {
    Session session;
    bool admitted = true;  ///< counted by the service; else to be turned away
    bool failed = false;   ///< a callback that may not reply had trouble: tempfail at the end
};

Held* held_by(SMFICTX* context) {
    return static_cast<Held*>(smfi_getpriv(context));
}

std::string_view macro(SMFICTX* context, const char* name) {
    const char* value = smfi_getsymval(context, const_cast<char*>(name));
    return value != nullptr ? std::string_view(value) : std::string_view();
}

void say_trouble(const char* where, const char* what) noexcept {
    try {
        service->log().error("gate.trouble", {{"at", where}, {"reason", what}});
    } catch (...) {  // out of memory: the reply says it
    }
}

/// Runs a callback of which the MTA expects no reply; no exception passes into libmilter.
template <class Body>
sfsistat without_reply(SMFICTX* context, const char* where, Body body) noexcept {
    Held* held = held_by(context);
    if (held == nullptr) {
        return SMFIS_NOREPLY;
    }
    try {
        body(*held);
    } catch (const std::exception& e) {
        held->failed = true;
        say_trouble(where, e.what());
    } catch (...) {
        held->failed = true;
        say_trouble(where, "unknown");
    }
    return SMFIS_NOREPLY;
}

sfsistat send_reply(SMFICTX* context, const Reply& reply) {
    if (reply.kind == Reply::Kind::accept) {
        return SMFIS_CONTINUE;
    }
    // If libmilter should refuse the text, the MTA uses its own for the same class.
    smfi_setreply(context,
                  const_cast<char*>(reply.code.c_str()),
                  const_cast<char*>(reply.enhanced.c_str()),
                  const_cast<char*>(escape_reply(reply.text).c_str()));
    return reply.kind == Reply::Kind::reject ? SMFIS_REJECT : SMFIS_TEMPFAIL;
}

bool send_operation(SMFICTX* context, const Operation& operation) {
    char* name = const_cast<char*>(operation.name.c_str());
    char* value = const_cast<char*>(operation.value.c_str());
    switch (operation.kind) {
        case Operation::Kind::change:
            return smfi_chgheader(context, name, operation.index, value) == MI_SUCCESS;
        case Operation::Kind::add:
            return smfi_addheader(context, name, value) == MI_SUCCESS;
        case Operation::Kind::insert:
            return smfi_insheader(context, operation.index, name, value) == MI_SUCCESS;
    }
    return false;
}

Decision decide(SMFICTX* context, Held& held) {
    const Time wall = service->clock().wall();
    const std::string date = to_rfc5322(wall);
    const std::string unique = fmt::format("{:x}.{:016x}", unix_millis(wall), seed_from_system());
    const policy::Invention invention{.date = date, .message_id_left = unique};
    Decision decision = held.session.end_of_message(macro(context, "i"), invention, wall);
    if (held.failed) {
        decision.operations.clear();
        decision.reply = trouble();
        decision.report.verdict = "tempfail";
    }
    held.failed = false;
    return decision;
}

// --- the callbacks -----------------------------------------------------------------------------

sfsistat on_negotiate(SMFICTX* context,
                      unsigned long offered_actions,
                      unsigned long offered_protocol,
                      unsigned long,
                      unsigned long,
                      unsigned long* actions_out,
                      unsigned long* protocol_out,
                      unsigned long* zero2,
                      unsigned long* zero3) noexcept {
    if ((offered_actions & actions) != actions || (offered_protocol & SMFIP_HDR_LEADSPC) == 0) {
        say_trouble("negotiate", "the MTA does not offer header changes of protocol version 6");
        return SMFIS_REJECT;
    }
    try {
        auto held = std::make_unique<Held>();
        held->admitted = service->enter();
        // libmilter cannot refuse at connect once it has promised not to reply there.
        *protocol_out = protocol | (held->admitted ? SMFIP_NR_CONN : 0);
        smfi_setpriv(context, held.release());
    } catch (...) {
        say_trouble("negotiate", "out of memory");
        return SMFIS_REJECT;
    }
    *actions_out = actions;
    *zero2 = 0;
    *zero3 = 0;
    if ((offered_actions & SMFIF_SETSYMLIST) != 0) {
        *actions_out |= SMFIF_SETSYMLIST;
        const auto ask = [&](int stage, const char* macros) {
            smfi_setsymlist(context, stage, const_cast<char*>(macros));
        };
        ask(SMFIM_CONNECT, "v {client_addr}");
        ask(SMFIM_ENVFROM, "i {auth_authen} {mail_addr}");
        ask(SMFIM_ENVRCPT, "{rcpt_mailer}");
        ask(SMFIM_EOM, "i");
        ask(SMFIM_EOH, "i");  // libmilter before 8.17.2 swaps this list with the one above
    }
    return SMFIS_CONTINUE;
}

sfsistat on_connect(SMFICTX* context, char*, _SOCK_ADDR*) noexcept {
    const Held* held = held_by(context);
    if (held == nullptr || !held->admitted) {
        return send_reply(context,
                          {Reply::Kind::tempfail,
                           "451",
                           "4.3.2",
                           "Too many sessions at the mail filter, try again later"});
    }
    return without_reply(context, "connect", [&](Held& h) {
        h.session.connect({macro(context, "v"), macro(context, "{client_addr}")});
    });
}

sfsistat on_mail(SMFICTX* context, char** arguments) noexcept {
    return without_reply(context, "mail", [&](Held& held) {
        held.failed = false;
        std::vector<std::string_view> parameters;
        for (char** p = arguments + (arguments[0] != nullptr ? 1 : 0); *p != nullptr; ++p) {
            parameters.emplace_back(*p);
        }
        const char* sender = arguments[0];
        held.session.begin({.sender = sender != nullptr ? sender : "",
                            .parameters = parameters,
                            .account = macro(context, "{auth_authen}"),
                            .resolved = macro(context, "{mail_addr}")},
                           service->rules());
    });
}

sfsistat on_recipient(SMFICTX* context, char** arguments) noexcept {
    return without_reply(context, "recipient", [&](Held& held) {
        held.session.recipient(arguments[0] != nullptr ? arguments[0] : "",
                               macro(context, "{rcpt_mailer}"));
    });
}

sfsistat on_header(SMFICTX* context, char* name, char* value) noexcept {
    return without_reply(context, "header", [&](Held& held) {
        held.session.header(name, value != nullptr ? value : "");
    });
}

sfsistat on_end_of_message(SMFICTX* context) noexcept {
    try {
        Held* held = held_by(context);
        if (held == nullptr) {
            return send_reply(context, trouble());
        }
        const Time start = service->clock().now();
        Decision decision = decide(context, *held);
        for (const Operation& operation : decision.operations) {
            if (!send_operation(context, operation)) {
                decision.reply = trouble();  // the MTA drops the edits with the message
                decision.report.verdict = "tempfail";
                break;
            }
        }
        const sfsistat status = send_reply(context, decision.reply);
        service->record(decision.report, service->clock().now() - start);
        return status;
    } catch (const std::exception& e) {
        say_trouble("end-of-message", e.what());
    } catch (...) {
        say_trouble("end-of-message", "unknown");
    }
    return SMFIS_TEMPFAIL;
}

sfsistat on_abort(SMFICTX* context) noexcept {
    without_reply(context, "abort", [](Held& held) {
        held.session.abort();
        held.failed = false;
    });
    return SMFIS_CONTINUE;
}

/// The only callback that always comes, except at the end of the process.
sfsistat on_close(SMFICTX* context) noexcept {
    const std::unique_ptr<Held> held(held_by(context));
    smfi_setpriv(context, nullptr);
    if (held != nullptr && held->admitted) {
        service->leave();
    }
    return SMFIS_CONTINUE;
}

smfiDesc description() {
    static char name[] = "millrace";
    smfiDesc d{};
    d.xxfi_name = name;
    d.xxfi_version = SMFI_VERSION;
    d.xxfi_flags = actions | SMFIF_SETSYMLIST;
    d.xxfi_connect = on_connect;
    d.xxfi_envfrom = on_mail;
    d.xxfi_envrcpt = on_recipient;
    d.xxfi_header = on_header;
    d.xxfi_eom = on_end_of_message;
    d.xxfi_abort = on_abort;
    d.xxfi_close = on_close;
    d.xxfi_negotiate = on_negotiate;
    return d;
}

}  // namespace

Result<void> run_libmilter(int listener, Service& shared) {
    service = &shared;
    std::string connection = "fd:" + std::to_string(listener);
    if (smfi_register(description()) != MI_SUCCESS ||
        smfi_setconn(connection.data()) != MI_SUCCESS) {
        return failure(Fault::unavailable, "libmilter refuses to be set up");
    }
    if (smfi_main() != MI_SUCCESS) {
        return failure(Fault::unavailable, "libmilter ended; the system's log has its reason");
    }
    return {};
}

}  // namespace millrace::milter
