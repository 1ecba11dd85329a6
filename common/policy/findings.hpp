#pragma once

#include <string>
#include <string_view>

#include "common/policy/gate.hpp"

namespace millrace::policy {

/// Collects what the checks find, and says what each may do about it.
class Findings {
  public:
    enum class Manner {
        strict,   ///< refuse what is to be refused
        lenient,  ///< note it instead: a refusal would become a bounce (non-SMTP, null sender)
    };
    enum class Touch {
        allowed,
        never,  ///< signed, list or resent mail: a repair is only noted
    };
    Findings(const Settings& settings, Manner manner, Touch touch)
        : settings_(settings), manner_(manner), touch_(touch) {}

    /// Whether this message's fault can be repaired at all.
    enum class Remedy { possible, none };

    /// A fault of that check: `detail` says it for the log (`Subject missing`), `reply` for the
    /// sender (`Missing required header: Subject`). True when the caller is to repair it now.
    bool fault(Check check, std::string detail, std::string_view reply, Remedy remedy);
    /// Something worth a word in the log that has no check of its own.
    void remark(std::string_view word, std::string detail);
    /// A refusal by a rule without a number, or a note of it where refusals are notes. The token
    /// stands in brackets at the reply's end.
    void refuse(unsigned code,
                std::string_view enhanced,
                std::string_view reply,
                std::string_view token);

    bool may_edit() const { return touch_ == Touch::allowed; }
    bool refused() const { return verdict_.kind == Verdict::Kind::reject; }
    const Verdict& verdict() const { return verdict_; }
    std::vector<Defect> take_defects() { return std::move(defects_); }

  private:
    const Settings& settings_;
    Manner manner_;
    Touch touch_;
    Verdict verdict_;
    std::vector<Defect> defects_;
};

/// A field name as it may be shown in a reply: itself when it is short and harmless, else `a header
/// field`.
std::string shown_name(std::string_view name);

}  // namespace millrace::policy
