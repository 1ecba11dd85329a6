#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace millrace::smtp {

/// A reply of RFC 5321 §4.2: ours to a client, or a receiving server's to us.
struct Reply {
    unsigned code = 0;     ///< 200..599; 0: no reply yet
    std::string enhanced;  ///< `4.7.1`, or empty; its class is that of the code (RFC 2034 §4)
    std::vector<std::string> lines;  ///< the text without codes and line ends; may be empty

    bool positive() const { return code / 100 == 2; }
    bool intermediate() const { return code / 100 == 3; }
    bool temporary() const { return code / 100 == 4; }
    bool permanent() const { return code / 100 == 5; }

    /// For logs, events and DSNs: `451 4.7.1 try later`, several lines joined by one blank, bytes
    /// outside printable ASCII as they came.
    std::string text() const;
    bool operator==(const Reply&) const = default;
};

/// A reply with one line of text.
Reply reply(unsigned code, std::string_view enhanced, std::string_view text);

/// The bytes to send, CRLF at the end of each line; the enhanced code stands on every line (RFC
/// 2034 §4). Text that is no printable ASCII becomes `?` and lines are cut at 512 octets (RFC 5321
/// §4.5.3.1.5), so nothing a client said can forge a reply.
std::string format(const Reply& reply);

/// What a client said, fit to be repeated to it or logged: printable ASCII, others `?`, at most 128
/// bytes.
std::string harmless(std::string_view text);

}  // namespace millrace::smtp
