#pragma once

#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/base/time.hpp"

namespace millrace::relay {

/// The last words of a receiving server, for people who ask why mail waits.
struct Dialogue {
    std::string site;
    std::string host;     ///< `mx.example.com [192.0.2.1]`: who said `reply`
    Time at{};            ///< of `reply`; zero: none yet
    std::string reply;    ///< to the last message, or the last refusal: `451 4.7.1 try later`
    Time refused_at{};    ///< zero: nothing was refused yet
    std::string refused;  ///< the last lines of the last conversation that was refused or broke:
                          ///< `> ` what we said, `< ` what we heard, `- ` what happened
};

/// Keeps one dialogue per site, of those that were heard last. Without passwords and without
/// messages, as the transcript gives them. Memory: at most about 1 MiB and a half. Thread: the
/// loop's.
class LastDialogues {
  public:
    static constexpr std::size_t sites_max = 1'000;
    static constexpr std::size_t reply_max = 300;
    static constexpr std::size_t text_max = 1'024;

    void heard(std::string_view site, std::string_view host, std::string_view reply, Time at);
    /// text: its last text_max bytes are kept, from a whole line on.
    void refused(std::string_view site, std::string_view text, Time at);
    /// None: nothing was heard of this site, or too long ago.
    const Dialogue* of(std::string_view site) const;
    std::size_t size() const { return dialogues_.size(); }

  private:
    Dialogue& freshest(std::string_view site);

    std::list<Dialogue> dialogues_;  ///< the freshest first
    std::unordered_map<std::string_view, std::list<Dialogue>::iterator> by_site_;
};

}  // namespace millrace::relay
