#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace millrace::relay {

/// Takes passwords out of a dialogue: what follows AUTH and its mechanism, every answer to a 334
/// (RFC 4954 §4), and, in whatever is said or heard afterwards, the same texts once more and the
/// secrets it was told of. Pure.
class SecretMask {
  public:
    /// A password as it is: wherever it stands, it is not shown. Shorter ones than four bytes are
    /// only hidden where they belong.
    void hide(std::string_view secret);

    /// A command, or a line of an AUTH exchange, without its line end.
    std::string said(std::string_view line);
    /// A line of a reply, code and all.
    std::string heard(std::string_view line) const;
    /// The reply is complete.
    void replied(unsigned code);

  private:
    std::string covered(std::string_view line) const;

    std::vector<std::string> secrets_;
    bool in_exchange_ = false;  ///< our next line answers a challenge
};

}  // namespace millrace::relay
