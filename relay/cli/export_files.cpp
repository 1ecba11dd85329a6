#include "relay/cli/export_files.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "relay/cli/json_view.hpp"

namespace millrace::relay {
namespace {

/// One field a line: people read these files, and diff them.
void put_pretty(std::string& out, const boost::json::object& object, std::size_t indent) {
    out += "{";
    bool first = true;
    for (auto const& [key, value] : object) {
        out += first ? "\n" : ",\n";
        first = false;
        out +=
            std::string(indent + 2, ' ') + boost::json::serialize(boost::json::value(key)) + ": ";
        auto const* const list = value.if_array();
        if (list == nullptr || list->empty()) {
            out += boost::json::serialize(value);
            continue;
        }
        out += "[";
        for (std::size_t i = 0; i < list->size(); ++i) {
            out += (i == 0 ? "\n" : ",\n") + std::string(indent + 4, ' ') +
                   boost::json::serialize((*list)[i]);
        }
        out += "\n" + std::string(indent + 2, ' ') + "]";
    }
    out += "\n" + std::string(indent, ' ') + "}";
}

std::string sendmail_line(const boost::json::object& envelope,
                          const boost::json::array& recipients) {
    auto const sender = text_of(envelope, "sender");
    auto line = "sendmail -i -f " + shell_quoted(sender.empty() ? "<>" : sender);
    if (auto const envid = text_of(envelope, "envid"); !envid.empty()) {
        line += " -V " + shell_quoted(envid);
    }
    std::set<std::string> notify;
    std::string to;
    for (auto const& value : recipients) {
        auto const& recipient = value.get_object();
        if (flag_of(recipient, "selected")) {
            notify.insert(text_of(recipient, "notify"));
            to += " " + shell_quoted(text_of(recipient, "address"));
        }
    }
    // sendmail(1) knows one wish for all recipients.
    if (notify.size() == 1 && !notify.begin()->empty()) {
        line += " -N " + shell_quoted(*notify.begin());
    }
    return line + " --" + to + " < " + text_of(envelope, "id") + ".eml";
}

}  // namespace

std::string bytes_of(std::string_view text) {
    std::string bytes;
    bytes.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        auto const lead = static_cast<unsigned char>(text[i]);
        if (lead < 0x80) {
            bytes += text[i];
        } else if ((lead == 0xC2 || lead == 0xC3) && i + 1 < text.size()) {
            bytes += static_cast<char>(((lead & 3U) << 6U) |
                                       (static_cast<unsigned char>(text[++i]) & 0x3FU));
        }
    }
    return bytes;
}

std::string shell_quoted(std::string_view word) {
    std::string out = "'";
    for (char const c : word) {
        out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    }
    return out + "'";
}

std::string envelope_file(const boost::json::object& envelope,
                          const std::set<std::uint64_t>& selected,
                          const std::set<std::uint64_t>& removed) {
    boost::json::object file{{"format", "millrace-export-1"}};
    file["message_file"] = text_of(envelope, "id") + ".eml";
    for (auto const& [key, value] : envelope) {
        file[key] = value;
    }
    boost::json::array recipients;
    for (auto const& value : list_of(envelope, "recipients")) {
        if (!value.is_object()) {
            continue;
        }
        auto recipient = value.get_object();
        auto const index = number_of(recipient, "index");
        recipient["selected"] = selected.contains(index);
        recipient["removed"] = removed.contains(index);
        recipients.emplace_back(std::move(recipient));
    }
    file["sendmail"] = sendmail_line(envelope, recipients);
    file["recipients"] = std::move(recipients);
    std::string text;
    put_pretty(text, file, 0);
    return text + "\n";
}

std::string_view export_readme() {
    return R"text(Mail that waited in Millrace, written by `millrace export`.

ID.eml   the message as it would have been sent: CRLF line ends, header and body.
ID.json  its envelope: "sender" (empty: a notice, the null sender), and "recipients", each with
         "address"
         "state"      when it was written: waiting, held, or what became of it (delivered, bounced, …)
         "selected"   this export is about it
         "removed"    Millrace does not have it any more: it is yours now
         "attempts", "last_reply", "last_host", "due", and what it wished to be told of ("notify",
         "orcpt", RFC 3461). Beside them "envid", "ret", "account", "received", "born" (when the
         mail server in front took it), "mta_queue_id", "message_id".

Where "removed" is false Millrace still has the recipient and goes on trying: whoever hands the
message in again then sends it twice. If `millrace export --remove` was broken off, `millrace show
ID` tells what is true.

Hand one in again, through the mail server of this machine: the line "sendmail" of its ID.json, in
this folder. All of them:

    for f in *.json; do sh -c "$(jq -r .sendmail "$f")" && mv "$f" "$f.done"; done

Through another server, one message:

    swaks --server mail.example.com --from "$(jq -r .sender ID.json)" \
          --to "$(jq -r '[.recipients[] | select(.selected) | .address] | join(",")' ID.json)" \
          --data @ID.eml
)text";
}

}  // namespace millrace::relay
